import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { CredentialStore } from '../../../src/node/credential-store.ts';

const ALICE = { name: 'alice', password: 'configured' };
const BOB = { name: 'bob', password: 'added' };

let folder: string;

beforeEach(() => {
  folder = join(mkdtempSync(join(tmpdir(), 'causeway-credentials-')), 'state');
});

afterEach(() => {
  rmSync(join(folder, '..'), { recursive: true });
});

describe('the credential store', () => {
  it('writes nothing as long as nothing is added', () => {
    const store = new CredentialStore([ALICE], folder);
    expect(store.all()).toEqual([ALICE]);
    expect(existsSync(folder)).toBe(false);
  });

  it('keeps what was added, for its owner alone, and leaves no half-written file', () => {
    new CredentialStore([ALICE], folder).add(BOB);
    expect(new CredentialStore([ALICE], folder).all()).toEqual([ALICE, BOB]);
    expect(readdirSync(folder)).toEqual(['credentials.json']);
    expect(statSync(join(folder, 'credentials.json')).mode & 0o777).toBe(0o600);
  });

  it('lets a user added at run time hide one of the configuration', () => {
    const store = new CredentialStore([ALICE], folder);
    store.add({ name: 'alice', password: 'new' });
    expect(store.all()).toEqual([{ name: 'alice', password: 'new' }]);
  });

  it('forgets a removed user for good if it was added, and until the next start if it is configured', () => {
    const store = new CredentialStore([ALICE], folder);
    store.add(BOB);
    expect(store.remove('bob')).toBe(false);
    expect(store.remove('alice')).toBe(true);
    expect(store.names()).toEqual([]);
    expect(new CredentialStore([ALICE], folder).names()).toEqual(['alice']);
  });

  it('refuses a file that is not its own, in one line that names it', () => {
    mkdirSync(folder);
    for (const text of ['', '{', '[]', '{"credentials":[{"name":"x"}]}']) {
      writeFileSync(join(folder, 'credentials.json'), text);
      expect(() => new CredentialStore([], folder)).toThrow(/^\S+credentials\.json: must be [^\n]+$/);
    }
  });

  it('adds nobody whom it cannot keep', () => {
    const store = new CredentialStore([], join(folder, 'file', 'below'));
    mkdirSync(folder);
    writeFileSync(join(folder, 'file'), '');
    expect(() => store.add(BOB)).toThrow();
    expect(store.names()).toEqual([]);
  });
});
