/** What the front process and the inner process of the lab say to each other. */
import type { LabEvent } from './events.ts';
import type { CausewayPlaneOptions, PlaneShape } from './media-plane/causeway-plane.ts';
import type { NetworkKind } from './network/network.ts';
import type { Scenario } from './scenario/scenario.ts';

/** Who makes the calls: the lab's own phones, or programs of others. */
export type Peers = 'lab' | 'real';

export interface StartOptions {
  readonly network: NetworkKind;
  /** For logs, configurations and state; it exists. */
  readonly directory: string;
  /** Of what is random in a simulated network. */
  readonly seed: number;
  /** `none`: all scenarios have a media plane of their own. */
  readonly planeShape: PlaneShape | 'none';
  /** Where the nodes send their metrics. */
  readonly collectd?: NonNullable<CausewayPlaneOptions['collectd']>;
}

export interface RunOptions {
  readonly scenario: Scenario;
  readonly peers: Peers;
}

export type InnerRequest =
  /** Comes with the listening server of the status pages, where there is one. */
  | { readonly ask: 'start'; readonly options: StartOptions; readonly pageUrl: string | null }
  | { readonly ask: 'run'; readonly options: RunOptions }
  | { readonly ask: 'close' };

export type InnerMessage =
  | { readonly say: 'started' }
  | { readonly say: 'event'; readonly event: LabEvent }
  | { readonly say: 'ran' }
  /** To the request before; one line. */
  | { readonly say: 'failed'; readonly reason: string };
