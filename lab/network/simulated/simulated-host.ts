import type { PlaceName } from '../../topology.ts';
import type { HostLink } from './host-link.ts';
import type { PortLocks } from './port-locks.ts';

/** What a thread of a program has of the simulated network. */
export interface SimulatedHost {
  readonly link: HostLink;
  readonly place: PlaceName;
  readonly locks: PortLocks;
}
