/** The lab's ICE agent on the simulated network, where gathering takes virtual time and nothing is random. */
import { createHash } from 'node:crypto';
import { IceAgent } from '../../lab/phone/ice-agent.ts';
import type { AgentCandidateType } from '../../lab/phone/ice-candidates.ts';
import { transportText } from '../../lab/phone/transport-address.ts';
import { SimBases, type TurnServer } from './passthrough-base.ts';
import type { SimSite } from './passthrough-site.ts';
import type { Place, SimNetwork } from './sim-network.ts';

export interface AgentOptions {
  readonly site: SimSite;
  /** Where its first component is; the second one is at the next port. */
  readonly place: Place;
  readonly components?: 1 | 2;
  /** Undefined: host candidates only. */
  readonly turn?: TurnServer;
  /** Which candidates it tells of; the default is all it has. */
  readonly types?: readonly AgentCandidateType[];
}

export class IceTestAgent extends IceAgent {
  /** Where its first component is. */
  readonly place: Place;
  readonly #bases: readonly SimBases[];

  constructor(network: SimNetwork, options: AgentOptions) {
    const { place, site, turn, types } = options;
    const basesAt = (port: number): SimBases => new SimBases(network, site, { ...place, port }, turn);
    const bases: [SimBases, ...SimBases[]] = [basesAt(place.port)];
    if (options.components === 2) bases.push(basesAt(place.port + 1));
    super({
      ...{ clock: network, bases, randomBytes: repeatableBytes(transportText(place)) },
      ...(types ? { types } : {}),
    });
    this.place = place;
    this.#bases = bases;
    this.onMalformed = (error) => {
      throw error;
    };
  }

  /** Virtual time passes where there is a TURN server. */
  gather(): void {
    for (const bases of this.#bases) bases.allocate();
    this.formCandidates();
  }
}

/** Bytes that differ from call to call, and are the same in every run. */
function repeatableBytes(name: string): (size: number) => Buffer {
  let calls = 0;
  return (size) => createHash('sha256').update(`${name} ${calls++}`).digest().subarray(0, size);
}
