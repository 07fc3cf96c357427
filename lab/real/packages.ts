/** What has to be installed for calls of real peers. */
import { existsSync } from 'node:fs';
import { hasProgram } from '../network/namespaces/programs.ts';
import { BARESIP_MODULES } from './baresip.ts';
import { CHROMIUM } from './chromium.ts';
import { COLLECTD_PROGRAM } from './collectd.ts';

/** What is looked for, and the Debian package that it comes in. */
const NEEDED: readonly (readonly [name: string, isThere: () => boolean, debianPackage: string])[] = [
  ['kamailio', () => hasProgram('kamailio'), 'kamailio'],
  ['baresip', () => hasProgram('baresip') && existsSync(BARESIP_MODULES), 'baresip-core'],
  [CHROMIUM, () => existsSync(CHROMIUM), 'chromium'],
  [COLLECTD_PROGRAM, () => existsSync(COLLECTD_PROGRAM), 'collectd-core'],
];

/** Undefined: all is there; else what is missing, in one line. */
export async function whyNoRealPeers(): Promise<string | undefined> {
  const missing = NEEDED.filter(([, isThere]) => !isThere());
  if (missing.length === 0) return undefined;
  const names = missing.map(([name]) => name).join(', ');
  const packages = missing.map(([, , debianPackage]) => debianPackage).join(' ');
  return `real peers need ${names}: apt-get install --no-install-recommends ${packages}`;
}
