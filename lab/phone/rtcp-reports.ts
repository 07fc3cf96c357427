/** RTCP of a phone (RFC 3550 §6), written and read with werift's packets. */
import {
  RtcpPacketConverter,
  RtcpReceiverInfo,
  RtcpRrPacket,
  RtcpSenderInfo,
  RtcpSourceDescriptionPacket,
  RtcpSrPacket,
  SourceDescriptionChunk,
  SourceDescriptionItem,
} from 'werift';
import type { ReceptionReport } from './rtp-reception.ts';

const CNAME = 1;
/** 1900 to 1970. */
const NTP_OFFSET_SECONDS = 2_208_988_800;
const NTP_FRACTION = 2 ** 32;

export interface SentStream {
  readonly packetCount: number;
  readonly octetCount: number;
  /** Of this moment. */
  readonly rtpTimestamp: number;
}

export interface HeardStream extends ReceptionReport {
  readonly ssrc: number;
  /** The middle of its last sender report's time, and how long ago that came; 0 where none did. */
  readonly lastSenderReport: number;
  readonly sinceSenderReportMs: number;
}

/** A compound packet. @param sent undefined: nothing since the last report */
export function writeRtcp(
  ssrc: number,
  unixMs: number,
  sent: SentStream | undefined,
  heard: HeardStream | undefined,
): Buffer {
  const reports = heard ? [blockOf(heard)] : [];
  const report = sent
    ? new RtcpSrPacket({
        ssrc,
        senderInfo: new RtcpSenderInfo({ ntpTimestamp: ntpOf(unixMs), ...sent }),
        reports,
      })
    : new RtcpRrPacket({ ssrc, reports });
  const items = [new SourceDescriptionItem({ type: CNAME, text: `phone-${ssrc}` })];
  const chunks = [new SourceDescriptionChunk({ source: ssrc, items })];
  return Buffer.concat([report.serialize(), new RtcpSourceDescriptionPacket({ chunks }).serialize()]);
}

export interface ReadRtcp {
  readonly ssrc: number;
  /** As {@link HeardStream.lastSenderReport} will have it. */
  readonly senderReport: number | undefined;
  /** What it says it lost of the given stream, in its last interval. */
  readonly lossPercent: number | undefined;
}

/** Undefined where it is no report. Never throws. */
export function readRtcp(packet: Buffer, ownSsrc: number): ReadRtcp | undefined {
  const parts = parsed(packet);
  const report = parts.find((part) => part instanceof RtcpSrPacket || part instanceof RtcpRrPacket);
  if (!report) return undefined;
  const block = report.reports.find(({ ssrc }) => ssrc === ownSsrc);
  return {
    ssrc: report.ssrc,
    senderReport:
      report instanceof RtcpSrPacket
        ? Number((report.senderInfo.ntpTimestamp >> 16n) & 0xffff_ffffn)
        : undefined,
    lossPercent: block && (block.fractionLost * 100) / 256,
  };
}

/** Whether it is RTCP rather than RTP, both on one port (RFC 5761 §4). */
export function isRtcp(packet: Uint8Array): boolean {
  const type = packet[1] ?? 0;
  return type >= 192 && type <= 223;
}

function parsed(packet: Buffer): ReturnType<typeof RtcpPacketConverter.deSerialize> {
  try {
    return RtcpPacketConverter.deSerialize(packet);
  } catch {
    return [];
  }
}

function blockOf(heard: HeardStream): RtcpReceiverInfo {
  const { ssrc, fractionLost, packetsLost, highestSequence, jitter } = heard;
  return new RtcpReceiverInfo({
    ...{ ssrc, fractionLost, packetsLost: Math.max(0, packetsLost), highestSequence, jitter },
    lsr: heard.lastSenderReport,
    dlsr: heard.lastSenderReport === 0 ? 0 : Math.floor((heard.sinceSenderReportMs * 65_536) / 1000),
  });
}

function ntpOf(unixMs: number): bigint {
  const seconds = Math.floor(unixMs / 1000);
  const fraction = Math.floor(((unixMs % 1000) / 1000) * NTP_FRACTION);
  return (BigInt(seconds + NTP_OFFSET_SECONDS) << 32n) | BigInt(fraction);
}
