/** Kamailio on both sides of a media node: with the example's configuration, or proxy.cfg for one node of several. */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { PROJECT_DIRECTORY, waitUntilReady } from '../harness.ts';
import { type BackgroundProcess, startBackground } from '../processes.ts';
import { type EngineRole, NG_ADDRESS } from './media-engine.ts';
import type { Network, NodePlace } from './network.ts';

export const SIP_PORT = 5060;

export interface SipProxy {
  /** Ends it, and starts it anew with nothing that it knew. */
  restart(): Promise<void>;
  log(): string;
  stop(): Promise<void>;
}

export interface ProxySettings {
  readonly role: EngineRole;
  /** Address of the next proxy, for users that are not registered at this one. */
  readonly neighbourAddress: string | undefined;
  /** The outer side has phones behind NAT, not a proxy. */
  readonly facesNat: boolean;
  /** For its files; no other proxy may have it. */
  readonly directory: string;
}

/** Starts the proxy of a node and waits until it listens. */
export async function startProxy(
  network: Network,
  place: NodePlace,
  settings: ProxySettings,
): Promise<SipProxy> {
  const runtime = join(settings.directory, 'kamailio');
  await mkdir(runtime, { recursive: true });
  const { file, definitions } = settings.role === 'example' ? example(place) : nodeOfSeveral(place, settings);
  const start = async (): Promise<BackgroundProcess> => {
    const [command, ...args] = network.within(place.name);
    const kamailio = startBackground(command, [
      ...args,
      ...['kamailio', '-DD', '-E', '-m', '32', '-M', '8', '-Y', runtime],
      ...['-f', file],
      ...Object.entries(definitions).flatMap(([name, value]) => ['-A', `${name}=${value}`]),
    ]);
    await waitUntilReady(kamailio, async () => {
      const ports = await network.udpPorts(place.name);
      return ports.filter((port) => port === SIP_PORT).length === 2;
    });
    return kamailio;
  };
  let current = await start();
  let before = '';
  return {
    async restart() {
      before += current.output();
      await current.stop();
      current = await start();
    },
    log: () => before + current.output(),
    async stop() {
      await current.stop();
    },
  };
}

interface Configuration {
  readonly file: string;
  /** Names and values, as the file takes them. */
  readonly definitions: Readonly<Record<string, string>>;
}

function example(place: NodePlace): Configuration {
  return {
    file: join(PROJECT_DIRECTORY, 'examples/kamailio.cfg'),
    definitions: {
      EXTERNAL_IP: `"${place.outerAddress}"`,
      INTERNAL_IP: `"${place.innerAddress}"`,
      CAUSEWAY: `"udp:${NG_ADDRESS}"`,
    },
  };
}

function nodeOfSeveral(place: NodePlace, { role, facesNat, neighbourAddress }: ProxySettings): Configuration {
  return {
    file: join(import.meta.dirname, 'proxy.cfg'),
    definitions: {
      OUTER_IP: `"${place.outerAddress}"`,
      INNER_IP: `"${place.innerAddress}"`,
      ENGINE_SOCK: `"udp:${NG_ADDRESS}"`,
      INWARD: `"${engineFlags(role, 'inward')}"`,
      OUTWARD: `"${engineFlags(role, 'outward')}"`,
      ...(facesNat ? { FACES_NAT: '1' } : {}),
      ...(neighbourAddress === undefined ? {} : { NEIGHBOUR: `"sip:${neighbourAddress}:${SIP_PORT}"` }),
    },
  };
}

/**
 * What the engine is told of an offer. The edge has nothing to do with keys; a B2BUA speaks SRTP outside
 * and RTP inside.
 */
function engineFlags(role: EngineRole, way: 'inward' | 'outward'): string {
  const common = 'replace-origin replace-session-connection ICE=remove DTLS=off';
  const transport = role === 'edge' ? '' : way === 'inward' ? 'RTP/AVP' : 'RTP/SAVP';
  // baresip cuts a key short whose length is no multiple of 3, unless its base64 is padded.
  return way === 'inward'
    ? `${common} ${transport} direction=external direction=internal`
    : `${common} ${transport} SDES-pad direction=internal direction=external`;
}
