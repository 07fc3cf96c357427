/** Which network the lab runs on: namespaces where they work, else the simulated one, and why. */
import { LabError } from '../lab-error.ts';
import { whyNoNamespaces } from './namespaces/probe.ts';
import type { NetworkKind } from './network.ts';

export type NetworkWish = NetworkKind | 'auto';

export interface NetworkChoice {
  readonly kind: NetworkKind;
  /** Why not namespaces, one line; null: it is them, or they were not asked for. */
  readonly reason: string | null;
}

/** @throws LabError (rejects) where namespaces are asked for and do not work */
export async function chooseNetwork(wish: NetworkWish): Promise<NetworkChoice> {
  if (wish === 'simulated') return { kind: 'simulated', reason: null };
  const reason = await whyNoNamespaces();
  if (reason === undefined) return { kind: 'namespaces', reason: null };
  if (wish === 'namespaces') throw new LabError(`network namespaces do not work here: ${reason}`);
  return { kind: 'simulated', reason };
}
