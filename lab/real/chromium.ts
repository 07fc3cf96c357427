/** Chromium as Debian has it, without a screen: where it is, and how it is started. */

export const CHROMIUM = '/usr/bin/chromium';

/**
 * Root needs `--no-sandbox`; a container's shared memory may be too small; the others keep Chromium from looking for
 * its vendor's hosts.
 */
export const CHROMIUM_FLAGS: readonly string[] = [
  '--no-sandbox',
  '--disable-dev-shm-usage',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--no-proxy-server',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];
