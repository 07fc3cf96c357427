/**
 * The lab's inner process: it has the network, the media plane and the phones. In a lab of namespaces it runs inside
 * them, so that all it makes goes when it ends, however it ends. The front process talks to it over IPC, and holds
 * the terminal and the address of the status pages.
 */
import type { Server } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import type { LabEvent, LabResult } from './events.ts';
import { errorLine } from './lab-error.ts';
import { startCausewayPlane } from './media-plane/causeway-plane.ts';
import { startForeignPlane } from './media-plane/foreign-plane.ts';
import type { MediaPlane } from './media-plane/media-plane.ts';
import type { LabNetwork, NetworkKind } from './network/network.ts';
import { PageDoor } from './page-door.ts';
import { runScenario, type ScenarioRun } from './run-scenario.ts';
import type { Scenario } from './scenario/scenario.ts';
import type { InnerMessage, InnerRequest, RunOptions, StartOptions } from './session-messages.ts';

/** The front waits a little longer before it ends this process by force. */
const LEAVE_MS_MAX = 14_000;

class InnerLab {
  readonly #network: LabNetwork;
  readonly #directory: string;
  readonly #plane: MediaPlane | undefined;
  readonly #pageUrl: string | null;
  readonly #door: PageDoor | undefined;

  private constructor(parts: {
    network: LabNetwork;
    directory: string;
    plane: MediaPlane | undefined;
    pageUrl: string | null;
    door: PageDoor | undefined;
  }) {
    this.#network = parts.network;
    this.#directory = parts.directory;
    this.#plane = parts.plane;
    this.#pageUrl = parts.pageUrl;
    this.#door = parts.door;
  }

  /** @param pages listens where the user looks at the status pages; undefined: nobody can */
  static async start(
    options: StartOptions,
    pageUrl: string | null,
    pages: Server | undefined,
  ): Promise<InnerLab> {
    const { directory, seed, planeShape: shape, collectd } = options;
    const network = await createNetwork(options.network, seed);
    try {
      const plane =
        shape === 'none'
          ? undefined
          : await startCausewayPlane({ network, directory, shape, ...(collectd ? { collectd } : {}) });
      const door = pages && plane?.pages ? new PageDoor(pages, plane.pages) : undefined;
      if (!door) pages?.close();
      return new InnerLab({ network, directory, plane, pageUrl, door });
    } catch (error) {
      await network.close();
      throw error;
    }
  }

  async run({ scenario, peers }: RunOptions, listener: (event: LabEvent) => void): Promise<void> {
    const plane = await this.#planeFor(scenario);
    const pageUrl = plane.pages ? this.#pageUrl : null;
    try {
      listener({ event: 'media-plane', name: plane.name, pageUrl });
      const run = { scenario, network: this.#network, plane, pageUrl, directory: this.#directory, listener };
      const result = await (peers === 'real' ? runWithRealPeers(run) : runScenario(run));
      listener({ event: 'end', result });
    } finally {
      if (plane !== this.#plane) await plane.stop();
    }
  }

  async close(): Promise<void> {
    this.#door?.close();
    try {
      await this.#plane?.stop();
    } finally {
      await this.#network.close();
    }
  }

  /** The lab's own nodes, or what the scenario points at. */
  async #planeFor(scenario: Scenario): Promise<MediaPlane> {
    if (this.#plane && !scenario.mediaPlane && !scenario.turn) return this.#plane;
    return startForeignPlane(scenario, this.#network, this.#directory, this.#plane);
  }
}

/** Each network, and what real peers need, is loaded where it is used alone. */
async function createNetwork(kind: NetworkKind, seed: number): Promise<LabNetwork> {
  if (kind === 'simulated') {
    const { createSimulatedNetwork } = await import('./network/simulated/network.ts');
    return createSimulatedNetwork({ seed });
  }
  const { createNamespaceNetwork } = await import('./network/namespaces/network.ts');
  return createNamespaceNetwork();
}

async function runWithRealPeers(run: ScenarioRun): Promise<LabResult> {
  const { runRealPeers } = await import('./real/run-real-peers.ts');
  return runRealPeers(run);
}

/** Whoever has gone needs no message. */
function say(message: InnerMessage): void {
  process.send?.(message, () => {});
}

let starting: Promise<InnerLab> | undefined;
let leaving: Promise<void> | undefined;

async function answer(request: InnerRequest, pages: Server | undefined): Promise<void> {
  switch (request.ask) {
    case 'start':
      starting = InnerLab.start(request.options, request.pageUrl, pages);
      await starting;
      return say({ say: 'started' });
    case 'run': {
      const lab = await starting;
      if (!lab) throw new Error('the lab has not started');
      await lab.run(request.options, (event) => say({ say: 'event', event }));
      return say({ say: 'ran' });
    }
    case 'close':
      return leave();
  }
}

/** Ends what there is, also what is just being started, and then this process. */
function leave(): Promise<void> {
  leaving ??= Promise.race([end(), delay(LEAVE_MS_MAX)])
    .catch((error: unknown) => console.error(error)) // the lab's log has it
    .finally(() => process.exit());
  return leaving;
}

async function end(): Promise<void> {
  const lab = await starting?.catch(() => undefined); // it has been told
  await lab?.close();
}

process.on('message', (request: InnerRequest, pages: unknown) => {
  answer(request, pages as Server | undefined).catch((error: unknown) => {
    say({ say: 'failed', reason: errorLine(error) });
  });
});
// Nobody is left who could want anything of it. In namespaces all ends with this process at once.
process.on('disconnect', () => void leave());
