/** The lab's network, of network namespaces and nftables. */
import { type ChildProcess, spawn } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { HOME_NAMES, type HomeName, type NatKind, PLACES, type PlaceName } from '../../topology.ts';
import type { AdminAddress, LabNetwork, NetworkKind, NodeProgramOptions } from '../network.ts';
import { endWithFront, networkOf, requireOwnNamespaces } from './enter.ts';
import { Gateway } from './gateway.ts';
import {
  cableBatch,
  gatewayOf,
  isForwarding,
  OPERATOR_REMOVAL,
  SPACE_NAMES,
  type SpaceName,
  siteBatch,
} from './layout.ts';
import { kernelSettings, NetworkSpace } from './network-space.ts';
import { programEnvironment, runProgram } from './programs.ts';

const ADMIN_ADDRESSES = { edge: PLACES.edge.addresses[1], core: PLACES.core.addresses[0] } as const;
const ADMIN_PORT = 8080;

/** Programs that do not end when asked are killed after it. */
const GRACE_MS = 1000;
const POLL_MS = 20;

type Spaces = Readonly<Record<SpaceName, NetworkSpace>>;
type Gateways = Readonly<Record<HomeName, Gateway>>;

/** For a process that `enterNamespaces` has started; the process ends with its front from now on. */
export async function createNamespaceNetwork(): Promise<LabNetwork> {
  requireOwnNamespaces();
  endWithFront();
  const spaces = await createSpaces();
  try {
    await Promise.all([
      inOwnSpace(['ip', '-batch', '-'], cableBatch({ ...pidsOf(spaces), operator: process.pid })),
      inOwnSpace(['sh', '-e'], kernelSettings(isForwarding('operator'))),
    ]);
    // First the rules, then the roads.
    const gateways = await createGateways(spaces);
    await Promise.all([
      inOwnSpace(['ip', '-batch', '-'], siteBatch('operator')),
      ...SPACE_NAMES.map((name) => spaces[name].run(['ip', '-batch', '-'], siteBatch(name))),
    ]);
    return new NamespaceNetwork(spaces, gateways);
  } catch (error) {
    await Promise.all(SPACE_NAMES.map((name) => spaces[name].end()));
    throw error;
  }
}

class NamespaceNetwork implements LabNetwork {
  readonly kind: NetworkKind = 'namespaces';
  readonly #spaces: Spaces;
  readonly #gateways: Gateways;
  /** Those that run, or have yet to enter their place. */
  readonly #started = new Set<ChildProcess>();
  #closed: Promise<void> | undefined;

  constructor(spaces: Spaces, gateways: Gateways) {
    this.#spaces = spaces;
    this.#gateways = gateways;
  }

  startNode(
    place: PlaceName,
    script: string,
    args: readonly string[],
    options: NodeProgramOptions = {},
  ): ChildProcess {
    return this.startCommand(place, process.execPath, [script, ...args], options);
  }

  startCommand(
    place: PlaceName,
    command: string,
    args: readonly string[],
    options: NodeProgramOptions = {},
  ): ChildProcess {
    if (this.#closed) throw new Error(`the lab's network is closed: ${command} cannot run in it`);
    const [enter, ...enterArgs] = this.#spaces[place].entering([command, ...args]);
    const child = spawn(enter, enterArgs, {
      detached: true,
      env: programEnvironment(options.environment),
      serialization: 'advanced',
      ...(options.workingDirectory === undefined ? {} : { cwd: options.workingDirectory }),
      ...(options.stdio === undefined ? {} : { stdio: options.stdio }),
    });
    if (child.pid === undefined) return child;
    this.#started.add(child);
    child.once('exit', () => this.#started.delete(child));
    return child;
  }

  adminAddress(node: 'edge' | 'core'): AdminAddress {
    const listen = `${ADMIN_ADDRESSES[node]}:${ADMIN_PORT}`;
    return { listen, url: `http://${listen}` };
  }

  setNat(home: HomeName, kind: NatKind): Promise<void> {
    return this.#gateways[home].setNat(kind);
  }

  rebind(home: HomeName): Promise<string> {
    return this.#gateways[home].rebind();
  }

  setLoss(home: HomeName, percent: number): Promise<void> {
    return this.#gateways[home].setLoss(percent);
  }

  close(): Promise<void> {
    this.#closed ??= this.#end();
    return this.#closed;
  }

  async #end(): Promise<void> {
    await this.#endPrograms();
    await Promise.all(Object.values(this.#spaces).map((space) => space.end()));
    await inOwnSpace(['ip', '-batch', '-'], OPERATOR_REMOVAL);
  }

  async #endPrograms(): Promise<void> {
    const startMs = performance.now();
    for (const pid of this.#programs()) signal(pid, 'SIGTERM');
    for (;;) {
      const left = this.#programs();
      if (left.size === 0) return;
      if (performance.now() - startMs > GRACE_MS) for (const pid of left) signal(pid, 'SIGKILL');
      await delay(POLL_MS);
    }
  }

  /** Also those that the started ones have started, though they left their process group or lost their parent. */
  #programs(): ReadonlySet<number> {
    const started = [...this.#started].flatMap(({ pid }) => pid ?? []);
    return new Set([...started, ...programsIn(Object.values(this.#spaces))]);
  }
}

async function createSpaces(): Promise<Spaces> {
  const created = await Promise.all(
    SPACE_NAMES.map(async (name) => [name, await NetworkSpace.create(isForwarding(name))] as const),
  );
  return Object.fromEntries(created) as Record<SpaceName, NetworkSpace>;
}

async function createGateways(spaces: Spaces): Promise<Gateways> {
  const created = await Promise.all(
    HOME_NAMES.map(async (home) => [home, await Gateway.create(home, spaces[gatewayOf(home)])] as const),
  );
  return Object.fromEntries(created) as Record<HomeName, Gateway>;
}

function pidsOf(spaces: Spaces): Record<SpaceName, number> {
  const pids = SPACE_NAMES.map((name) => [name, spaces[name].pid] as const);
  return Object.fromEntries(pids) as Record<SpaceName, number>;
}

function inOwnSpace([command, ...args]: readonly [string, ...string[]], input: string): Promise<void> {
  return runProgram({ command, args, input });
}

function programsIn(spaces: readonly NetworkSpace[]): number[] {
  const networks = new Set(spaces.map((space) => space.identity));
  const holders = new Set(spaces.map((space) => space.pid));
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => !holders.has(pid) && networks.has(networkOfLiving(pid)));
}

/** '' where it has ended meanwhile, though its parent may not have noticed. */
function networkOfLiving(pid: number): string {
  try {
    return networkOf(pid);
  } catch {
    return '';
  }
}

function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch {
    // It has ended meanwhile.
  }
}
