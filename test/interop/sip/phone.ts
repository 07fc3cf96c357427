/** baresip as a phone of the suite's network. */
import { Baresip } from '../../../lab/real/baresip.ts';
import { startBackground } from '../processes.ts';
import type { Network } from './network.ts';

const SIP_PORT = 5060;
const RTP_PORTS: readonly [first: number, last: number] = [20_000, 20_999];

export interface PhoneSettings {
  readonly name: string;
  readonly namespace: string;
  readonly address: string;
  /** Where it registers. */
  readonly proxyAddress: string;
  /** Of the tone it says. */
  readonly toneHz: number;
  /** SDES, and no call without; else plain RTP. */
  readonly isEncrypted: boolean;
  readonly directory: string;
}

/** Starts a phone and waits until it is registered. */
export function startPhone(network: Network, { namespace, ...settings }: PhoneSettings): Promise<Baresip> {
  const [enter, ...enterArgs] = network.within(namespace);
  return Baresip.start(
    (command, args) => startBackground(enter, [...enterArgs, command, ...args], { input: '' }),
    { ...settings, sipPort: SIP_PORT, rtpPorts: RTP_PORTS },
  );
}
