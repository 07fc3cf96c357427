/**
 * Which ports of the simulated network are taken: a file each, so that any thread of any program knows at once, as
 * `bind` has to. A file holds the name of the program that has the port.
 */
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { TransportAddress } from '../../phone/protocol.ts';

export type PortProtocol = 'udp' | 'tcp';

/** Of ports that nobody has asked for by number: apart from those of phones. */
const FIRST_CHOSEN_PORT = 32_768;
const LAST_CHOSEN_PORT = 39_999;

export class PortLocks {
  readonly #directory: string;
  readonly #program: string;
  #nextChosen = FIRST_CHOSEN_PORT;

  /** @param directory of the network */
  constructor(directory: string, program: string) {
    this.#directory = locksIn(directory);
    this.#program = program;
    mkdirSync(this.#directory, { recursive: true });
  }

  /** The port, one of its choice for 0; undefined where it is taken. */
  take(protocol: PortProtocol, { address, port }: TransportAddress): number | undefined {
    if (port !== 0) return this.#tryTake(protocol, { address, port }) ? port : undefined;
    for (let left = LAST_CHOSEN_PORT - FIRST_CHOSEN_PORT; left >= 0; left--) {
      const chosen = this.#nextChosen;
      this.#nextChosen = chosen === LAST_CHOSEN_PORT ? FIRST_CHOSEN_PORT : chosen + 1;
      if (this.#tryTake(protocol, { address, port: chosen })) return chosen;
    }
    return undefined;
  }

  give(protocol: PortProtocol, place: TransportAddress): void {
    giveIfOf(this.#program, join(this.#directory, fileOf(protocol, place)));
  }

  #tryTake(protocol: PortProtocol, place: TransportAddress): boolean {
    try {
      writeFileSync(join(this.#directory, fileOf(protocol, place)), this.#program, { flag: 'wx' });
      return true;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
      throw error;
    }
  }
}

/** What a program that has ended had, however it ended. */
export function giveAllOf(program: string, directory: string): void {
  const locks = locksIn(directory);
  for (const name of readdirSync(locks)) giveIfOf(program, join(locks, name));
}

function giveIfOf(program: string, path: string): void {
  try {
    if (readFileSync(path, 'utf8') === program) rmSync(path, { force: true });
  } catch {
    // Given already.
  }
}

function locksIn(directory: string): string {
  return join(directory, 'ports');
}

/** No colons: not every system has them in names of files. */
function fileOf(protocol: PortProtocol, { address, port }: TransportAddress): string {
  return `${protocol}-${address}-${port}`;
}
