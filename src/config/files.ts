/** The files a configuration stands in or names: the one place of this folder that reads them. */
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { Config } from './config.ts';
import { ConfigError } from './config-error.ts';
import { loadConfig } from './load.ts';
import { problemLine } from './messages.ts';

/** PEM texts, read and found to belong together. */
export interface TlsFiles {
  /** The certificate, followed by its chain. */
  readonly certificate: string;
  readonly key: string;
  /** When the certificate ends, ms since the epoch. */
  readonly notAfterMs: number;
}

/**
 * The configuration in a file; without a path, the defaults.
 * @throws ConfigError also where the file cannot be read
 */
export function readConfigFile(path: string | undefined): Config {
  if (path === undefined) return loadConfig(undefined, 'defaults');
  const { text, reason } = readText(path);
  if (text === undefined) throw new ConfigError(path, [`cannot be read (${reason})`]);
  return loadConfig(text, path);
}

/**
 * Reads the certificate and key that `turn.tls` names; undefined where there is no TLS.
 * @param sourceName for messages, as in {@link loadConfig}
 * @throws ConfigError where a file cannot be read, is not what it should be, or they do not match
 */
export function readTlsFiles(config: Config, sourceName: string): TlsFiles | undefined {
  const { tls } = config.turn;
  if (!tls || !config.turn.services) return undefined;
  const lines: string[] = [];
  const read = <Parsed>(key: 'certificate' | 'key', rule: string, parse: (text: string) => Parsed) => {
    const { text, reason } = readText(tls[key]);
    const parsed = text === undefined ? undefined : attempt(() => parse(text));
    const problem = reason === undefined ? `must be ${rule}` : `cannot be read (${reason})`;
    if (parsed === undefined) lines.push(problemLine(`turn.tls.${key}`, problem, tls[key]));
    return { text: text ?? '', parsed };
  };
  const certificate = read('certificate', 'a certificate in PEM', (text) => new X509Certificate(text));
  const key = read('key', 'a private key in PEM without a passphrase', (text) => createPrivateKey(text));
  if (key.parsed && certificate.parsed?.checkPrivateKey(key.parsed) === false) {
    lines.push(problemLine('turn.tls.key', 'must be the key of turn.tls.certificate', tls.key));
  }
  if (!certificate.parsed || lines.length > 0) throw new ConfigError(sourceName, lines);
  return {
    certificate: certificate.text,
    key: key.text,
    notAfterMs: Date.parse(certificate.parsed.validTo),
  };
}

function readText(path: string): { text: string; reason?: never } | { text?: never; reason: string } {
  try {
    return { text: readFileSync(path, 'utf8') };
  } catch (error) {
    return { reason: (error as NodeJS.ErrnoException).code ?? (error as Error).message };
  }
}

/** The result, or undefined where it throws: OpenSSL's messages help nobody who reads a configuration. */
function attempt<Value>(make: () => Value): Value | undefined {
  try {
    return make();
  } catch {
    return undefined;
  }
}
