/** What a network of the lab can do, whichever kind it is. */
import type { ChildProcess, StdioOptions } from 'node:child_process';
import type { HomeName, NatKind, PlaceName } from '../topology.ts';

/**
 * - `namespaces`: network namespaces and nftables: the kernel's own IP, UDP, TCP and NAT
 * - `simulated`: the same programs, whose UDP and TCP the lab carries itself: no rights needed, any system
 */
export type NetworkKind = 'namespaces' | 'simulated';

export interface NodeProgramOptions {
  readonly environment?: Readonly<Record<string, string>>;
  readonly workingDirectory?: string;
  /** As of `child_process.spawn`; `'ipc'` among them opens a channel (serialization `advanced`). */
  readonly stdio?: StdioOptions;
}

/** Where a node's admin server listens, and how the lab and the other node reach it. */
export interface AdminAddress {
  /** `host:port` for `admin.http`. */
  readonly listen: string;
  /** `http://host:port`, without a slash at the end. */
  readonly url: string;
}

export interface LabNetwork {
  readonly kind: NetworkKind;

  /** Runs a Node program (a JavaScript file) in a place. It gets no signal of the lab's terminal. */
  startNode(
    place: PlaceName,
    script: string,
    args: readonly string[],
    options?: NodeProgramOptions,
  ): ChildProcess;

  /**
   * Runs any command in a place, in a process group of its own.
   * @throws Error in a simulated network, which carries Node programs alone
   */
  startCommand(
    place: PlaceName,
    command: string,
    args: readonly string[],
    options?: NodeProgramOptions,
  ): ChildProcess;

  adminAddress(node: 'edge' | 'core'): AdminAddress;

  /** All homes begin with `endpoint-independent`. A gateway forgets its UDP mappings when its kind changes. */
  setNat(home: HomeName, kind: NatKind): Promise<void>;

  /** The gateway gets another public address, and forgets all mappings; resolves with the address. */
  rebind(home: HomeName): Promise<string>;

  /** Drops so many percent of the packets that the gateway forwards, each way; 0: none. */
  setLoss(home: HomeName, percent: number): Promise<void>;

  /** Ends what still runs in it, and removes it. Safe to call twice. */
  close(): Promise<void>;
}
