import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ConfigError } from '../../../src/config/config-error.ts';
import { readConfigFile, readTlsFiles } from '../../../src/config/files.ts';
import { loadConfig } from '../../../src/config/load.ts';
import { ONE, TWO } from '../net/stream-certificates.ts';

let folder: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'causeway-config-'));
});

afterAll(() => {
  rmSync(folder, { recursive: true });
});

function file(name: string, text: string): string {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
}

function readTls(certificate: string, key: string): ReturnType<typeof readTlsFiles> {
  const config = loadConfig(JSON.stringify({ turn: { tls: { certificate, key } } }), 'causeway.yaml');
  return readTlsFiles(config, 'causeway.yaml');
}

function tlsLines(certificate: string, key: string): readonly string[] {
  try {
    readTls(certificate, key);
    return [];
  } catch (error) {
    return (error as ConfigError).lines;
  }
}

describe('readConfigFile', () => {
  it('reads a file', () => {
    expect(readConfigFile(file('realm.yaml', 'turn: { realm: lab }')).turn.realm).toBe('lab');
  });

  it('gives the defaults without one', () => {
    expect(readConfigFile(undefined)).toEqual(loadConfig(undefined, 'x'));
  });

  it('says which file cannot be read and why', () => {
    const path = join(folder, 'missing.yaml');
    expect(() => readConfigFile(path)).toThrow(new ConfigError(path, ['cannot be read (ENOENT)']));
    expect(() => readConfigFile(folder)).toThrow(new ConfigError(folder, ['cannot be read (EISDIR)']));
  });
});

describe('readTlsFiles', () => {
  it('reads a certificate and its key', () => {
    const tls = readTls(file('one.pem', ONE.certificate), file('one.key', ONE.key));
    expect(tls).toEqual({
      certificate: ONE.certificate,
      key: ONE.key,
      notAfterMs: Date.parse('2120-01-01T00:00:00Z'),
    });
  });

  it('reads nothing where there is no TLS or no TURN', () => {
    expect(readTlsFiles(loadConfig(undefined, 'x'), 'x')).toBeUndefined();
    const off = loadConfig('turn: { services: false, tls: { certificate: /none, key: /none } }', 'x');
    expect(readTlsFiles(off, 'x')).toBeUndefined();
  });

  it('names what cannot be read', () => {
    const certificate = file('one.pem', ONE.certificate);
    const missing = join(folder, 'missing.key');
    expect(tlsLines(certificate, missing)).toEqual([
      `turn.tls.key: cannot be read (ENOENT): got ${JSON.stringify(missing)}`,
    ]);
    expect(tlsLines(missing, missing)).toEqual([
      `turn.tls.certificate: cannot be read (ENOENT): got ${JSON.stringify(missing)}`,
      `turn.tls.key: cannot be read (ENOENT): got ${JSON.stringify(missing)}`,
    ]);
  });

  it('refuses files that are no certificate or key', () => {
    const text = file('text.pem', 'not a certificate');
    expect(tlsLines(text, text)).toEqual([
      `turn.tls.certificate: must be a certificate in PEM: got ${JSON.stringify(text)}`,
      `turn.tls.key: must be a private key in PEM without a passphrase: got ${JSON.stringify(text)}`,
    ]);
  });

  it('refuses the key of another certificate', () => {
    const key = file('two.key', TWO.key);
    expect(tlsLines(file('one.pem', ONE.certificate), key)).toEqual([
      `turn.tls.key: must be the key of turn.tls.certificate: got ${JSON.stringify(key)}`,
    ]);
  });
});
