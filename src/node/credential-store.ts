/**
 * The local credential database: users of the configuration, and users added at run time, which are
 * kept in the state directory and survive a restart.
 */
import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import type { TurnCredential } from '../turn/settings.ts';

const FILE_NAME = 'credentials.json';

const fileSchema = z.strictObject({
  credentials: z.array(z.strictObject({ name: z.string().min(1), password: z.string().min(1) })),
});

/** The state file cannot be used. The message is one line and names the file. */
export class CredentialFileError extends Error {
  readonly code = 'CREDENTIAL_FILE';
}

export class CredentialStore {
  readonly #file: string;
  readonly #directory: string;
  readonly #configured: Map<string, TurnCredential>;
  readonly #added: Map<string, TurnCredential>;

  /**
   * @param stateDirectory made when the first user is added
   * @throws CredentialFileError if the file is there but cannot be read
   */
  constructor(configured: readonly TurnCredential[], stateDirectory: string) {
    this.#directory = stateDirectory;
    this.#file = join(stateDirectory, FILE_NAME);
    this.#configured = byName(configured);
    this.#added = byName(this.#read());
  }

  /** All users; one added at run time hides one of the configuration with the same name. */
  all(): TurnCredential[] {
    return [...new Map([...this.#configured, ...this.#added]).values()];
  }

  names(): string[] {
    return this.all().map(({ name }) => name);
  }

  has(name: string): boolean {
    return this.#configured.has(name) || this.#added.has(name);
  }

  /** Adds a user or changes its password; on disk before it returns. Throws if the file cannot be written. */
  add(credential: TurnCredential): void {
    const before = this.#added.get(credential.name);
    this.#added.set(credential.name, credential);
    try {
      this.#write();
    } catch (error) {
      if (before) this.#added.set(credential.name, before);
      else this.#added.delete(credential.name);
      throw error;
    }
  }

  /**
   * Removes a user. One that stands in the configuration comes back with the next start: true says so.
   * Throws, and removes nothing, if the file cannot be written.
   */
  remove(name: string): boolean {
    const added = this.#added.get(name);
    if (added) {
      this.#added.delete(name);
      try {
        this.#write();
      } catch (error) {
        this.#added.set(name, added);
        throw error;
      }
    }
    return this.#configured.delete(name);
  }

  #read(): TurnCredential[] {
    let text: string;
    try {
      text = readFileSync(this.#file, 'utf8');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
      throw new CredentialFileError(
        `${this.#file}: cannot be read (${(error as NodeJS.ErrnoException).code})`,
      );
    }
    try {
      return fileSchema.parse(JSON.parse(text)).credentials;
    } catch {
      throw new CredentialFileError(`${this.#file}: must be {"credentials": [{"name", "password"}]}`);
    }
  }

  /** A crash leaves the old file or the new one, never half of one. */
  #write(): void {
    mkdirSync(this.#directory, { recursive: true, mode: 0o700 });
    const half = `${this.#file}.new`;
    const text = JSON.stringify({ credentials: [...this.#added.values()] }, undefined, 2);
    writeFileSync(half, `${text}\n`, { mode: 0o600, flush: true });
    renameSync(half, this.#file);
  }
}

function byName(credentials: readonly TurnCredential[]): Map<string, TurnCredential> {
  return new Map(credentials.map(({ name, password }) => [name, { name, password }]));
}
