/** What each side is told of us, and how its answer is read against it: ports, candidates, keys. */
import { hostCandidateLine } from '../ice/candidates.ts';
import type { IceLiteAgent } from '../ice/lite-agent.ts';
import type { Leg, Line, OfferedLine, OwnKey } from './call.ts';
import { lentCandidates } from './passthrough.ts';
import type { RemoteLine } from './remote-line.ts';
import { formatCrypto } from './sdes.ts';
import type { DisabledLine, KeptLine, TerminatedLine } from './sdp-rewrite.ts';

/** We have one address a leg, so one candidate a component. */
const LOCAL_PREFERENCE = 65_535;

export function writtenLine(
  line: Line,
  isMuxed: boolean,
  isNullAddress: boolean,
  terminated: TerminatedLine | undefined,
): DisabledLine | KeptLine {
  const [rtp, rtcp] = line.components;
  if (!rtp) return { kind: 'disabled', form: undefined };
  const rtcpPort = isMuxed ? rtp.localPort : (rtcp ?? rtp).localPort;
  const untouched = { isDirect: false, lent: [], remoteCandidates: undefined };
  return { kind: 'kept', port: rtp.localPort, rtcpPort, isNullAddress, terminated, ...untouched };
}

/**
 * @param leg whose ports the receiver of the SDP is told
 * @param said of the line by the other side; who multiplexes RTCP and has no candidate for it is lent none either
 */
export function untouchedLine(
  leg: Leg,
  line: Line,
  { ice, hasRtcpMux, isNullAddress }: RemoteLine,
  hasLeft: boolean,
): DisabledLine | KeptLine {
  const components = hasRtcpMux && !ice?.hasRtcpCandidates ? line.components.slice(0, 1) : line.components;
  const ports = components.map(({ localPort }) => localPort);
  const lent = ice && !hasLeft ? lentCandidates(connectionOf(leg).address, ports) : [];
  const written = writtenLine(line, false, isNullAddress, undefined);
  return written.kind === 'kept' ? { ...written, isDirect: hasLeft, lent } : written;
}

export function connectionOf(leg: Leg): { family: 'IP4' | 'IP6'; address: string } {
  const address = leg.mediaAddress ?? leg.address.advertised;
  return { family: address.includes(':') ? 'IP6' : 'IP4', address };
}

/** ICE-lite attributes of a line: our credentials, and a host candidate for each component. */
export function iceLines(leg: Leg, line: Line, agent: IceLiteAgent, isMuxed: boolean): TerminatedLine['ice'] {
  const { address } = connectionOf(leg);
  const components = isMuxed ? line.components.slice(0, 1) : line.components;
  const candidates = components.map(({ localPort }, i) =>
    hostCandidateLine(i + 1, address, localPort, LOCAL_PREFERENCE),
  );
  return { local: agent.local, candidates };
}

/**
 * Whether an answer leaves open how a line is encrypted: it must be, or says so, or tries, with no key that was
 * offered.
 */
export function lacksKey(offered: OfferedLine, answer: RemoteLine): boolean {
  const isTried = offered.cryptos.length > 0 && answer.cryptos.length > 0;
  const isEncrypted = offered.mustEncrypt || answer.isSecureProtocol || isTried;
  return isEncrypted && !answeredCrypto(offered, answer);
}

/** Their key and ours of the a=crypto that an answer took. */
export function answeredCrypto(
  offered: OfferedLine,
  answer: RemoteLine,
): { readonly theirs: RemoteLine['cryptos'][number]; readonly own: OwnKey } | undefined {
  for (const theirs of answer.cryptos) {
    const own = offered.cryptos.find(
      ({ tag, suite }) => tag === theirs.tag && suite.name === theirs.suite.name,
    );
    if (own) return { theirs, own };
  }
  return undefined;
}

/** A phone that takes the first suite it knows would otherwise change suite and key at a re-INVITE. */
export function inUseFirst(keys: readonly OwnKey[], inUse: string | undefined): readonly OwnKey[] {
  return [
    ...keys.filter(({ suite }) => suite.name === inUse),
    ...keys.filter(({ suite }) => suite.name !== inUse),
  ];
}

export function cryptoValue(tag: number, { suite, masterKey, masterSalt }: OwnKey): string {
  return formatCrypto(tag, suite.name, masterKey, masterSalt, true);
}
