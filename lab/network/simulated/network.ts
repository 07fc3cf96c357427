/**
 * The lab's network, simulated: programs are ordinary processes of this machine, to which a module that is loaded
 * before them gives another network, and that network is in the lab's process. It needs no rights, on any system.
 *
 * Who is told what: `preload.ts` is loaded into programs, and with it `host-*.ts`; `router.ts` and what it is made of
 * is the network, with `gateway.ts` and `nat.ts` at its homes; `frames.ts` is what they say to each other.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { endProcess } from '../../end-process.ts';
import { projectFile } from '../../project.ts';
import type { HomeName, NatKind, PlaceName } from '../../topology.ts';
import type { AdminAddress, LabNetwork, NetworkKind, NodeProgramOptions } from '../network.ts';
import { NETWORK_VARIABLE, type NetworkAccess } from './frames.ts';
import { Router } from './router.ts';

/** Compiled, as Node loads it. */
const PRELOAD = 'dist-lab/lab/network/simulated/preload.js';
/** Programs that do not end when asked are killed after it. */
const GRACE_MS = 1000;
/**
 * Below those that systems give to clients, who could take one before its node does; above the last that browsers and
 * `fetch` refuse to ask (10080: WHATWG Fetch, port blocking).
 */
const ADMIN_PORTS = [10_081, 30_000] as const;
const ADMIN_HOST = '127.0.0.1';

type AdminPorts = Readonly<Record<'edge' | 'core', number>>;

/** `seed`: of what is random: ports of NATs, and which packets are lost. */
export async function createSimulatedNetwork({ seed }: { readonly seed: number }): Promise<LabNetwork> {
  const directory = await mkdtemp(join(tmpdir(), 'causeway-net-'));
  try {
    const edge = await freePort();
    const core = await freePort(edge);
    return new SimulatedNetwork(directory, await Router.start(directory, seed), { edge, core });
  } catch (error) {
    await rm(directory, { recursive: true, force: true });
    throw error;
  }
}

class SimulatedNetwork implements LabNetwork {
  readonly kind: NetworkKind = 'simulated';
  readonly #directory: string;
  readonly #router: Router;
  readonly #adminPorts: AdminPorts;
  readonly #programs = new Set<ChildProcess>();
  #lastProgram = 0;
  #closed: Promise<void> | undefined;

  constructor(directory: string, router: Router, adminPorts: AdminPorts) {
    this.#directory = directory;
    this.#router = router;
    this.#adminPorts = adminPorts;
  }

  startNode(
    place: PlaceName,
    script: string,
    args: readonly string[],
    options: NodeProgramOptions = {},
  ): ChildProcess {
    if (this.#closed) throw new Error(`the lab's network is closed: ${script} cannot run in it`);
    const program = String(++this.#lastProgram);
    const access: NetworkAccess = { path: this.#router.path, directory: this.#directory, place, program };
    const preload = pathToFileURL(projectFile(PRELOAD)).href;
    const child = spawn(process.execPath, ['--import', preload, script, ...args], {
      detached: true,
      windowsHide: true,
      env: { ...process.env, ...options.environment, [NETWORK_VARIABLE]: JSON.stringify(access) },
      serialization: 'advanced',
      ...(options.workingDirectory === undefined ? {} : { cwd: options.workingDirectory }),
      ...(options.stdio === undefined ? {} : { stdio: options.stdio }),
    });
    this.#programs.add(child);
    // Before anybody else hears of it: who then starts it anew finds its ports free.
    child.once('exit', () => {
      this.#programs.delete(child);
      this.#router.programEnded(program);
    });
    return child;
  }

  startCommand(_place: PlaceName, command: string): ChildProcess {
    throw new Error(`the simulated network carries Node programs alone: not ${command}`);
  }

  adminAddress(node: 'edge' | 'core'): AdminAddress {
    const listen = `${ADMIN_HOST}:${this.#adminPorts[node]}`;
    return { listen, url: `http://${listen}` };
  }

  async setNat(home: HomeName, kind: NatKind): Promise<void> {
    this.#router.gateways[home].setNat(kind);
  }

  async rebind(home: HomeName): Promise<string> {
    return this.#router.rebind(home);
  }

  async setLoss(home: HomeName, percent: number): Promise<void> {
    this.#router.gateways[home].setLoss(percent);
  }

  close(): Promise<void> {
    this.#closed ??= this.#end();
    return this.#closed;
  }

  async #end(): Promise<void> {
    await Promise.all([...this.#programs].map((child) => endProcess(child, GRACE_MS)));
    await this.#router.close();
    await rm(this.#directory, { recursive: true, force: true });
  }
}

/** A TCP port of loopback that nobody has. */
async function freePort(but?: number): Promise<number> {
  for (;;) {
    const port = randomInt(...ADMIN_PORTS);
    if (port === but) continue;
    const server = createServer();
    try {
      server.listen(port, ADMIN_HOST);
      await once(server, 'listening');
      return port;
    } catch {
      // Taken, or not for us.
    } finally {
      server.close();
    }
  }
}
