/** What a phone says and hears: a tone in RTP, encrypted or not, RTCP beside it, and the counters of both. */
import { randomBytes } from 'node:crypto';
import { RtpHeader } from 'werift';
import type { Clock } from './ice-agent.ts';
import { SAMPLES_PER_SECOND } from './mu-law.ts';
import { Pacer } from './pacer.ts';
import type { PhoneOptions, PhoneStatus, TransportAddress } from './protocol.ts';
import { isRtcp, readRtcp, writeRtcp } from './rtcp-reports.ts';
import { RtpReception } from './rtp-reception.ts';
import { keyAndSaltBytes, NO_PROTECTION, type Protection, sdesProtection } from './sdes.ts';
import { ToneMeter, tonePayload } from './tone.ts';

export const PAYLOAD_TYPE = 0;

const PACKET_MS = 20;
const PACKET_SAMPLES = (SAMPLES_PER_SECOND * PACKET_MS) / 1000;
const RTCP_MS = 1000;
const RTP_HEADER_BYTES = 12;
/** Two seconds of them. */
const EARLY_PACKETS_MAX = 100;

export type MediaStatus = Omit<PhoneStatus, 'ice' | 'selected' | 'candidates'>;

/** Where packets go; each says whether it was sent. */
export interface MediaWay {
  sendRtp(bytes: Buffer): boolean;
  sendRtcp(bytes: Buffer): boolean;
}

interface Arrival {
  readonly bytes: Buffer;
  readonly from: TransportAddress | null;
  readonly atMs: number;
}

/** A source that is heard. */
interface HeardSource {
  readonly ssrc: number;
  readonly reception: RtpReception;
  senderReport: number;
  senderReportMs: number;
}

export class PhoneMedia {
  /** The key that the other side is told; undefined: plain RTP. */
  readonly keyAndSalt: Buffer | undefined;
  readonly #clock: Clock;
  readonly #options: Pick<PhoneOptions, 'toneHz' | 'encryption'>;
  readonly #way: MediaWay;
  readonly #pacer: Pacer;
  readonly #outbound: Protection;
  /** The key in force, and the one before it for packets on their way. */
  #inbound: { readonly key: string; readonly protection: Protection }[] = [];
  #awaitsAnswer = false;
  /** What no key opened that is known, and has perhaps overtaken the answer with its key. */
  #early: Arrival[] = [];
  readonly #ssrc = randomBytes(4).readUInt32BE();
  /** Low, so that the ROC of a listener that joins late is right (RFC 3711 §3.3.1). */
  #sequence = randomBytes(2).readUInt16BE() & 0x3fff;
  readonly #firstTimestamp = randomBytes(4).readUInt32BE();
  #timestamp = 0;
  #second = 0;
  #sentPackets = 0;
  #sentAtReport = 0;
  #startedMs: number | undefined;
  #heardMs: number | undefined;
  #heardFrom: TransportAddress | null = null;
  #source: HeardSource | undefined;
  /** Of sources before this one. */
  #past = { heardPackets: 0, lostPackets: 0 };
  #tone = new ToneMeter();
  #garbledPackets = 0;
  #rtcpSent = 0;
  #rtcpHeard = 0;
  #reportedLossPercent: number | null = null;

  constructor(clock: Clock, options: Pick<PhoneOptions, 'toneHz' | 'encryption'>, way: MediaWay) {
    this.#clock = clock;
    this.#options = options;
    this.#way = way;
    this.#pacer = new Pacer(clock, PACKET_MS, (number) => this.#speak(number));
    const { encryption } = options;
    this.keyAndSalt = encryption === 'none' ? undefined : randomBytes(keyAndSaltBytes(encryption));
    this.#outbound = this.#protectionOf(this.keyAndSalt);
  }

  /**
   * The key of the other side; undefined: it sends plain RTP.
   * @throws Error where the key is not of the suite's length
   */
  hearWith(keyAndSalt: Buffer | undefined): void {
    const key = keyAndSalt?.toString('base64') ?? '';
    const [current] = this.#inbound;
    if (current?.key !== key) {
      const next = { key, protection: this.#protectionOf(keyAndSalt) };
      this.#inbound = [next, ...(current ? [current] : [])];
    }
    this.#awaitsAnswer = false;
    for (const arrival of this.#early.splice(0)) this.#take(arrival);
  }

  /** An offer is made, and media may come before its answer. */
  awaitAnswer(): void {
    this.#awaitsAnswer = true;
  }

  /** The call is answered: it speaks until it is stopped. */
  start(): void {
    this.#startedMs ??= this.#clock.nowMs;
    this.#pacer.start();
  }

  stop(): void {
    this.#pacer.stop();
  }

  /** What came that is no STUN. */
  received(bytes: Buffer, from: TransportAddress | null): void {
    this.#take({ bytes, from, atMs: this.#clock.nowMs });
  }

  status(): MediaStatus {
    const sinceMs = this.#heardMs ?? this.#startedMs;
    const { reception } = this.#source ?? {};
    return {
      sentPackets: this.#sentPackets,
      heardPackets: this.#past.heardPackets + (reception?.heardPackets ?? 0),
      lostPackets: this.#past.lostPackets + (reception?.lostPackets ?? 0),
      garbledPackets: this.#garbledPackets,
      jitterMs: reception?.jitterMs ?? 0,
      silentMs: sinceMs === undefined ? null : this.#clock.nowMs - sinceMs,
      heardToneHz: this.#tone.toneHz,
      rtcpSent: this.#rtcpSent,
      rtcpHeard: this.#rtcpHeard,
      reportedLossPercent: this.#reportedLossPercent,
      heardFrom: this.#heardFrom,
    };
  }

  #protectionOf(keyAndSalt: Buffer | undefined): Protection {
    const { encryption } = this.#options;
    return encryption === 'none' || !keyAndSalt ? NO_PROTECTION : sdesProtection(encryption, keyAndSalt);
  }

  #speak(number: number): void {
    this.#timestamp = (this.#firstTimestamp + number * PACKET_SAMPLES) % 2 ** 32;
    const header = new RtpHeader({
      ...{ payloadType: PAYLOAD_TYPE, ssrc: this.#ssrc, marker: this.#sentPackets === 0 },
      ...{ sequenceNumber: this.#sequence, timestamp: this.#timestamp },
    });
    const payload = tonePayload(this.#options.toneHz, number * PACKET_SAMPLES, PACKET_SAMPLES);
    // A sequence number is used up by a packet that leaves: one that cannot is none that gets lost.
    if (this.#way.sendRtp(this.#outbound.protect(header, payload))) {
      this.#sequence = (this.#sequence + 1) & 0xffff;
      this.#sentPackets++;
    }
    const second = Math.floor((number * PACKET_MS) / RTCP_MS);
    if (second !== this.#second) this.#report();
    this.#second = second;
  }

  #report(): void {
    const hasSent = this.#sentPackets > this.#sentAtReport;
    this.#sentAtReport = this.#sentPackets;
    const sent = hasSent
      ? {
          packetCount: this.#sentPackets % 2 ** 32,
          octetCount: (this.#sentPackets * PACKET_SAMPLES) % 2 ** 32,
          rtpTimestamp: this.#timestamp,
        }
      : undefined;
    const source = this.#source;
    const heard = source && {
      ...{ ssrc: source.ssrc, ...source.reception.report() },
      lastSenderReport: source.senderReport,
      sinceSenderReportMs: this.#clock.nowMs - source.senderReportMs,
    };
    const packet = writeRtcp(this.#ssrc, Date.now(), sent, heard);
    if (this.#way.sendRtcp(this.#outbound.protectRtcp(packet))) this.#rtcpSent++;
  }

  #opened(open: (protection: Protection) => Buffer | undefined): Buffer | undefined {
    for (const { protection } of this.#inbound) {
      const plain = open(protection);
      if (plain) return plain;
    }
    return undefined;
  }

  #take(arrival: Arrival): void {
    const { bytes } = arrival;
    const hasRtcp = isRtcp(bytes);
    const plain = this.#opened((key) => (hasRtcp ? key.unprotectRtcp(bytes) : key.unprotect(bytes)));
    if (!plain && (this.#awaitsAnswer || this.#inbound.length === 0)) {
      this.#early.push(arrival);
      if (this.#early.length > EARLY_PACKETS_MAX) this.#early.shift();
    } else if (!plain || !(hasRtcp ? this.#heardRtcp(plain) : this.#heardRtp(plain, arrival))) {
      this.#garbledPackets++;
    }
  }

  /** @returns whether it is RTP of this call */
  #heardRtp(packet: Buffer, { from, atMs }: Arrival): boolean {
    if (!isOurs(packet)) return false;
    const header = RtpHeader.deSerialize(packet);
    const { reception } = this.#sourceOf(header.ssrc);
    if (reception.take(header.sequenceNumber, header.timestamp, atMs)) {
      this.#heardMs = atMs;
      this.#heardFrom = from;
      this.#tone.hear(packet.subarray(header.payloadOffset));
    }
    return true;
  }

  /** @returns whether it is a report */
  #heardRtcp(packet: Buffer): boolean {
    const report = readRtcp(packet, this.#ssrc);
    if (!report) return false;
    this.#rtcpHeard++;
    if (report.lossPercent !== undefined) this.#reportedLossPercent = report.lossPercent;
    if (report.senderReport !== undefined && this.#source?.ssrc === report.ssrc) {
      this.#source.senderReport = report.senderReport;
      this.#source.senderReportMs = this.#clock.nowMs;
    }
    return true;
  }

  #sourceOf(ssrc: number): HeardSource {
    const known = this.#source;
    if (known?.ssrc === ssrc) return known;
    if (known) {
      this.#past.heardPackets += known.reception.heardPackets;
      this.#past.lostPackets += known.reception.lostPackets;
    }
    const reception = new RtpReception(SAMPLES_PER_SECOND);
    this.#tone = new ToneMeter();
    this.#source = { ssrc, reception, senderReport: 0, senderReportMs: 0 };
    return this.#source;
  }
}

/** Version 2 with nothing optional, and the one payload type that was agreed on. */
function isOurs(packet: Buffer): boolean {
  return packet.length > RTP_HEADER_BYTES && packet[0] === 0x80 && ((packet[1] ?? 0) & 0x7f) === PAYLOAD_TYPE;
}
