/** The network interfaces of a program's place: the machine's loopback, and one for each address of the place. */
import os, { type NetworkInterfaceInfo } from 'node:os';
import { PLACES, type PlaceName } from '../../topology.ts';

export function simulateInterfaces(place: PlaceName): void {
  const realInterfaces = os.networkInterfaces;
  os.networkInterfaces = () => ({
    ...Object.fromEntries(
      Object.entries(realInterfaces()).filter(([, infos]) => infos?.every(({ internal }) => internal)),
    ),
    ...Object.fromEntries(PLACES[place].addresses.map((address, i) => [`lab${i}`, [interfaceOf(address)]])),
  });
}

function interfaceOf(address: string): NetworkInterfaceInfo {
  return {
    ...{ address, netmask: '255.255.255.0', family: 'IPv4', mac: '00:00:00:00:00:00' },
    ...{ internal: false, cidr: `${address}/24` },
  };
}
