/**
 * Run before a program (`node --import`), in each of its threads: gives it the simulated network in place of the
 * machine's. The program itself is as it is. It begins when the network knows its thread.
 */
import { syncBuiltinESMExports } from 'node:module';
import { NETWORK_VARIABLE, type NetworkAccess } from './frames.ts';
import { simulateDatagrams } from './host-datagrams.ts';
import { simulateInterfaces } from './host-interfaces.ts';
import { HostLink } from './host-link.ts';
import { simulateStreams } from './host-streams.ts';
import { PortLocks } from './port-locks.ts';

const access = JSON.parse(process.env[NETWORK_VARIABLE] ?? 'null') as NetworkAccess | null;
if (!access) throw new Error(`${NETWORK_VARIABLE} must name the simulated network: it is not set`);
const link = await HostLink.open(access);
const host = { link, place: access.place, locks: new PortLocks(access.directory, access.program) };
simulateInterfaces(access.place);
simulateDatagrams(host);
simulateStreams(host);
syncBuiltinESMExports();
