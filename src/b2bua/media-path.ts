/**
 * The way of a packet from leg to leg: whose is it, may its source send it, decrypt, count, encrypt, on.
 * Nothing here allocates, and whatever is wrong with a packet ends in a counter.
 */
import {
  ICE_CHECK,
  ICE_DROPPED_UNEXPECTED,
  ICE_NOMINATED,
  ICE_REFUSED,
  type IceLiteAgent,
  type IceLiteResponder,
} from '../ice/lite-agent.ts';
import { u8 } from '../wire/bytes.ts';
import { count } from '../wire/counters.ts';
import type { DatagramIo } from '../wire/datagram-io.ts';
import { KIND_RTP, KIND_STUN, kindOf } from '../wire/demux.ts';
import type { EndpointTable } from '../wire/endpoint-table.ts';
import {
  isRtcp,
  RTCP_HEADER_BYTES,
  rtpHeaderLength,
  rtpSequence,
  rtpSsrc,
  rtpTimestamp,
} from '../wire/rtp.ts';
import { CARRIES_OPAQUE, CARRIES_RTCP, type Component } from './component.ts';
import { B2BUA, ZONE, ZONE_COUNTERS } from './counters.ts';
import type { Reception } from './reception.ts';
import {
  SRTP_AUTH_FAILED,
  SRTP_KEY_EXHAUSTED,
  SRTP_REPLAYED,
  SRTP_TOO_MANY_SOURCES,
  SRTP_TOO_OLD,
  SRTP_UNKNOWN_MKI,
} from './srtp/outcomes.ts';

/** A source that was heard so short a time ago is still there: there are pauses between words, not between packets. */
const SPEAKING_MS = 500;

export interface MediaPathParts {
  readonly io: DatagramIo;
  readonly counters: Float64Array;
  /** `ZONE_COUNTERS` places a zone. */
  readonly zoneCounters: Float64Array;
  readonly reception: Reception;
  readonly ice: IceLiteResponder;
  /** Component ids by (socket, remote), for sockets that streams share. */
  readonly shared: EndpointTable;
}

export class MediaPath {
  /** Components by id. */
  readonly components: (Component | undefined)[] = [];
  nowMs = 0;
  readonly #io: DatagramIo;
  readonly #counters: Float64Array;
  readonly #zoneCounters: Float64Array;
  readonly #reception: Reception;
  readonly #ice: IceLiteResponder;
  readonly #shared: EndpointTable;

  constructor(parts: MediaPathParts) {
    this.#io = parts.io;
    this.#counters = parts.counters;
    this.#zoneCounters = parts.zoneCounters;
    this.#reception = parts.reception;
    this.#ice = parts.ice;
    this.#shared = parts.shared;
  }

  /** A packet on a socket of its own (`id` of the component), or on a shared one (`id` below 0). */
  receive(id: number, socket: number, offset: number, length: number, source: number): void {
    const own = id >= 0 ? id : this.#shared.get(socket, source);
    const component = own >= 0 ? this.components[own] : undefined;
    if (component === undefined) return this.#drop(B2BUA.dropUnknownStream);
    if (length === 0) return this.#drop(B2BUA.dropMediaEmpty);
    this.#countLink(component.zone, ZONE.packetsReceived, length);
    if (component.carries === CARRIES_OPAQUE) return this.#opaque(component, offset, length, source);
    const kind = kindOf(this.#io.bytes, offset);
    if (kind === KIND_STUN) return this.#stun(component, offset, length, source);
    if (kind !== KIND_RTP || length < RTCP_HEADER_BYTES) return this.#drop(B2BUA.dropUnexpectedKind);
    if (isRtcp(this.#io.bytes, offset)) this.#rtcp(component, offset, length, source);
    else this.#rtp(component, offset, length, source);
  }

  #rtp(component: Component, offset: number, length: number, source: number): void {
    const { bytes } = this.#io;
    if (component.carries === CARRIES_RTCP) return this.#drop(B2BUA.dropUnexpectedKind);
    if (rtpHeaderLength(bytes, offset, length) < 0) return this.#dropBad(component, B2BUA.dropMalformedRtp);
    const isKnown = this.#isRemote(component, source);
    const { receiver } = component;
    if (receiver === undefined) {
      if (!this.#admit(component, source, isKnown)) return this.#drop(B2BUA.dropUnknownSource);
    } else {
      length = receiver.unprotectRtp(offset, length);
      if (length < 0) return this.#dropBad(component, srtpReason(length));
      if (!isKnown && receiver.advanced) this.#moved(component, source);
    }
    const payloadType = u8(bytes, offset + 1) & 0x7f;
    component.packets++;
    component.bytes += length;
    component.lastPacketMs = this.nowMs;
    const clockRate = component.clockRates === undefined ? 0 : (component.clockRates[payloadType] as number);
    this.#noteReception(component, offset, clockRate);
    const to = component.forwardsTo;
    if (to === undefined || to.remote < 0) return this.#drop(B2BUA.dropNoDestination);
    if (component.isBlocked) return this.#drop(B2BUA.dropBlocked);
    if (component.silence !== undefined && !this.#silence(component.silence, payloadType, offset, length)) {
      return this.#drop(B2BUA.dropBlocked);
    }
    if (to.sender !== undefined) {
      length = to.sender.protectRtp(offset, length);
      if (length < 0) return this.#dropBad(component, srtpReason(length));
    }
    count(this.#counters, B2BUA.rtpPackets);
    count(this.#counters, B2BUA.rtpBytes, length);
    this.#send(to, offset, length);
  }

  #rtcp(component: Component, offset: number, length: number, source: number): void {
    const isKnown = this.#isRemote(component, source);
    const { receiver } = component;
    if (receiver === undefined) {
      if (!this.#admit(component, source, isKnown)) return this.#drop(B2BUA.dropUnknownSource);
    } else {
      length = receiver.unprotectRtcp(offset, length);
      if (length < 0) return this.#dropBadRtcp(component, srtpReason(length));
      if (!isKnown && receiver.advanced) this.#moved(component, source);
    }
    component.rtcpPackets++;
    component.rtcpBytes += length;
    component.lastPacketMs = this.nowMs;
    const to = component.forwardsRtcpTo;
    if (to === undefined || to.remote < 0) return this.#drop(B2BUA.dropNoDestination);
    if (component.isBlocked) return this.#drop(B2BUA.dropBlocked);
    if (to.sender !== undefined) {
      length = to.sender.protectRtcp(offset, length);
      if (length < 0) return this.#dropBadRtcp(component, srtpReason(length));
    }
    count(this.#counters, B2BUA.rtcpPackets);
    count(this.#counters, B2BUA.rtcpBytes, length);
    this.#send(to, offset, length);
  }

  /** A packet that is none of our business: only its source and its first bytes are looked at. */
  #opaque(component: Component, offset: number, length: number, source: number): void {
    const { bytes } = this.#io;
    if (component.ice !== undefined && kindOf(bytes, offset) === KIND_STUN) {
      return this.#passCheck(component, component.ice, offset, length, source);
    }
    const isKnown = this.#isRemote(component, source) || component.hasShown(this.#io.endpoints, source);
    if (!this.#admit(component, source, isKnown)) return this.#drop(B2BUA.dropUnknownSource);
    component.lastPacketMs = this.nowMs;
    const isMedia = kindOf(bytes, offset) === KIND_RTP && length >= RTCP_HEADER_BYTES;
    if (isMedia && isRtcp(bytes, offset)) {
      component.rtcpPackets++;
      component.rtcpBytes += length;
    } else {
      component.packets++;
      component.bytes += length;
      if (isMedia && component.clockRates !== undefined && rtpHeaderLength(bytes, offset, length) > 0) {
        this.#noteReception(component, offset, component.clockRates[u8(bytes, offset + 1) & 0x7f] as number);
      }
    }
    const to = component.forwardsTo;
    if (to === undefined || to.remote < 0) return this.#drop(B2BUA.dropNoDestination);
    if (component.isBlocked) return this.#drop(B2BUA.dropBlocked);
    count(this.#counters, B2BUA.opaquePackets);
    count(this.#counters, B2BUA.opaqueBytes, length);
    this.#send(to, offset, length);
  }

  #noteReception(component: Component, offset: number, clockRateHz: number): void {
    const { bytes } = this.#io;
    this.#reception.received(
      component.id,
      rtpSequence(bytes, offset),
      rtpTimestamp(bytes, offset),
      rtpSsrc(bytes, offset),
      clockRateHz,
      this.nowMs,
    );
  }

  /**
   * A check on the candidate that we lend to a side. It is answered in that side's place, since this candidate has
   * to work from the first moment; and it goes on to that side, who learns that way of a nomination. Answers to
   * what went on come back here, and are wanted no more.
   */
  #passCheck(
    component: Component,
    agent: IceLiteAgent,
    offset: number,
    length: number,
    source: number,
  ): void {
    const outcome = this.#ice.receive(agent, component.socket, offset, length, source);
    if (outcome !== ICE_CHECK && outcome !== ICE_NOMINATED) {
      if (outcome === ICE_REFUSED) count(this.#counters, B2BUA.iceRefusals);
      else if (outcome !== ICE_DROPPED_UNEXPECTED) this.#drop(B2BUA.dropUnexpectedStun);
      return;
    }
    this.#noteCheck(component, outcome);
    this.#shows(component, source, outcome === ICE_NOMINATED);
    const to = component.forwardsTo;
    if (to !== undefined && to.remote >= 0) this.#send(to, offset, length);
  }

  /**
   * The side is where its first check came from, or that which nominates. It may speak from wherever a check came
   * from, and where it was heard before goes on until it has found its way.
   */
  #shows(component: Component, source: number, isNomination: boolean): void {
    const { endpoints } = this.#io;
    if (!this.#isRemote(component, source)) {
      if (component.isChecked && !isNomination) return component.show(endpoints, source);
      if (component.hasBeenFound(endpoints)) component.show(endpoints, component.remote);
      this.#latch(component, source);
    }
    component.isChecked = component.isSettled = true;
  }

  #noteCheck(component: Component, outcome: number): void {
    count(this.#counters, B2BUA.iceChecks);
    component.checks++;
    if (outcome !== ICE_NOMINATED) return;
    count(this.#counters, B2BUA.iceNominations);
    component.nominations++;
    component.isNominated = true;
  }

  /** A connectivity check, where this leg does ICE with us. */
  #stun(component: Component, offset: number, length: number, source: number): void {
    const { ice } = component;
    if (ice === undefined) return this.#drop(B2BUA.dropUnexpectedStun);
    const outcome = this.#ice.receive(ice, component.socket, offset, length, source);
    if (outcome === ICE_CHECK || outcome === ICE_NOMINATED) {
      const wasNominated = component.isNominated;
      this.#noteCheck(component, outcome);
      if (wasNominated && outcome !== ICE_NOMINATED) return; // of another pair, or consent for the one in use
      if (!this.#isRemote(component, source)) this.#latch(component, source);
      component.isSettled = true;
    } else {
      count(this.#counters, outcome === ICE_REFUSED ? B2BUA.iceRefusals : B2BUA.dropUnexpectedStun);
    }
  }

  #isRemote(component: Component, source: number): boolean {
    return component.remote >= 0 && this.#io.endpoints.equals(component.remote, source);
  }

  /**
   * Whether an unauthenticated packet may come from `source`. The signalled address goes before any other,
   * whenever it is first heard; another may be learned once, in a short time after the SDP; then it stays. Where the
   * side was before that SDP does not count as learned, and at first not as heard: packets that were still on their
   * way come from there.
   */
  #admit(component: Component, source: number, isKnown: boolean): boolean {
    if (component.isSettled || (isKnown && component.isLearned)) {
      if (isKnown) component.heardMs = this.nowMs;
      return isKnown;
    }
    const { signalled } = component;
    const { endpoints } = this.#io;
    if (component.isFixed) return signalled >= 0 && endpoints.sameAddress(signalled, source);
    if (component.ice?.part === 'peer') return false; // no check has told yet
    const isSignalled = signalled >= 0 && endpoints.equals(signalled, source);
    if (!isKnown) {
      if (!isSignalled && !this.#mayLearn(component, source)) return false;
      this.#latch(component, source);
    }
    const isLeaving = !isSignalled && component.isFormer(endpoints, source);
    if (!isLeaving || this.nowMs >= component.leavingUntilMs) component.heardMs = this.nowMs;
    component.isLearned = !isLeaving;
    component.isSettled = isSignalled;
    return true;
  }

  /** Nobody takes the place of one who is speaking, and one who has given way to another does not come back. */
  #mayLearn(component: Component, source: number): boolean {
    const { heardMs } = component;
    if (component.isLearned || this.nowMs > component.latchUntilMs) return false;
    if (heardMs >= 0 && this.nowMs - heardMs < SPEAKING_MS) return false;
    return !component.isFormerBarred || !component.isFormer(this.#io.endpoints, source);
  }

  /**
   * An authenticated packet, newer than all before, came from elsewhere: that is where the other side is now. An
   * older one may have taken a detour. With ICE its checks alone tell, though it may speak from anywhere
   * (RFC 8445 §12.2).
   */
  #moved(component: Component, source: number): void {
    if (!component.isFixed && component.ice === undefined) this.#latch(component, source);
  }

  #latch(component: Component, source: number): void {
    if (component.isMultiplexed) return; // its streams are told apart by the address that was signalled
    if (component.follow(this.#io.endpoints, source)) count(this.#counters, B2BUA.latched);
  }

  /** Writes silence over the payload; false where the codec has none that could be written. */
  #silence(silence: Int16Array, payloadType: number, offset: number, length: number): boolean {
    const byte = silence[payloadType] as number;
    if (byte < 0) return false;
    const { bytes } = this.#io;
    const header = rtpHeaderLength(bytes, offset, length);
    bytes.fill(byte, offset + header, offset + length);
    return true;
  }

  #send(to: Component, offset: number, length: number): void {
    this.#countLink(to.zone, ZONE.packetsSent, length);
    this.#io.send(to.socket, offset, length, to.remote);
  }

  /** `packets`: the counter of packets, which that of bytes follows. */
  #countLink(zone: number, packets: number, length: number): void {
    const at = zone * ZONE_COUNTERS + packets;
    count(this.#zoneCounters, at);
    count(this.#zoneCounters, at + 1, length);
  }

  #drop(reason: number): void {
    count(this.#counters, reason);
  }

  #dropBad(component: Component, reason: number): void {
    component.errors++;
    this.#drop(reason);
  }

  #dropBadRtcp(component: Component, reason: number): void {
    component.rtcpErrors++;
    this.#drop(reason);
  }
}

function srtpReason(outcome: number): number {
  switch (outcome) {
    case SRTP_AUTH_FAILED:
      return B2BUA.dropSrtpAuthFailed;
    case SRTP_REPLAYED:
      return B2BUA.dropSrtpReplayed;
    case SRTP_TOO_OLD:
      return B2BUA.dropSrtpTooOld;
    case SRTP_UNKNOWN_MKI:
      return B2BUA.dropSrtpUnknownKey;
    case SRTP_TOO_MANY_SOURCES:
      return B2BUA.dropSrtpTooManySources;
    case SRTP_KEY_EXHAUSTED:
      return B2BUA.dropSrtpKeyExhausted;
    default:
      return B2BUA.dropSrtpMalformed;
  }
}
