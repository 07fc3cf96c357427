/**
 * The data path: ChannelData and Send indications from clients to peers, datagrams from peers to
 * clients, ICMP errors on the way back. Everything here runs per packet: it allocates nothing, parses
 * no payload, and ends in a send or in a counted drop.
 */
import { setU16, setU32, u16 } from '../wire/bytes.ts';
import { CHANNEL_HEADER_BYTES } from '../wire/channel-data.ts';
import { count } from '../wire/counters.ts';
import { type DatagramIo, QUEUED_SENDS_MAX } from '../wire/datagram-io.ts';
import { KIND_DTLS, KIND_RTP, KIND_STUN, kindOf } from '../wire/demux.ts';
import { INET } from '../wire/endpoint.ts';
import {
  ATTR_DATA,
  ATTR_DONT_FRAGMENT,
  ATTR_ICMP,
  ATTR_XOR_PEER_ADDRESS,
  addressValueBytes,
  CLASS_INDICATION,
  MAGIC_COOKIE,
  METHOD_DATA,
  readXorAddress,
  STUN_HEADER_BYTES,
  type StunReader,
  writeAddressValue,
} from '../wire/stun.ts';
import { StunWriter } from '../wire/stun-writer.ts';
import {
  type Allocation,
  type Allocations,
  TALLY_BYTES_FROM_CLIENT,
  TALLY_BYTES_TO_CLIENT,
  TALLY_PACKETS_DROPPED,
  TALLY_PACKETS_FROM_CLIENT,
  TALLY_PACKETS_FROM_PEERS,
  TALLY_PACKETS_TO_CLIENT,
} from './allocations.ts';
import { TURN } from './counters.ts';
import type { FlowRows } from './flow-rows.ts';
import {
  PEER_FORBIDDEN,
  PEER_OWN_HOST,
  PEER_OWN_HOST_ALLOWED,
  PEER_OWN_RELAY,
  type PeerFilter,
} from './peer-filter.ts';
import type { TurnCrypto } from './settings.ts';
import type { StaticNat } from './static-nat.ts';

/** Type and length of a Data indication, with the first two bits 0 and the class bits set (0x0017). */
const DATA_INDICATION = 0x0017;
const STUN_BODY_BYTES_MAX = 0xffff;
/** Transaction IDs of indications are taken from a pool of random bytes, refilled when used up. */
const TRANSACTION_POOL_BYTES = 12 * 512;

export class DataPath {
  /** Time of the current batch. */
  nowMs = 0;
  readonly #io: DatagramIo;
  readonly #allocations: Allocations;
  readonly #filter: PeerFilter;
  readonly #isOwnMedia: (peer: number) => boolean;
  readonly #nat: StaticNat;
  readonly #crypto: TurnCrypto;
  readonly #counters: Float64Array;
  readonly #mediaOnly: boolean;
  readonly #writer: StunWriter;
  /**
   * Destinations of Send indications, which name their peer per packet: a ring with one row more than
   * the send queue has places. A row is passed over only when a queued packet needs it, or packets
   * that are dropped would bring the ring round to the row of one that still waits to be sent.
   */
  readonly #peers = new Int32Array(QUEUED_SENDS_MAX + 1);
  #nextPeer = 0;
  readonly #transactionIds = new Uint8Array(TRANSACTION_POOL_BYTES);
  #transactionIdsUsed = TRANSACTION_POOL_BYTES;

  constructor(parts: {
    io: DatagramIo;
    allocations: Allocations;
    filter: PeerFilter;
    /** Whether the row is a port of this host that relays may reach at this moment though it is no relay's. */
    isOwnMedia: (peer: number) => boolean;
    nat: StaticNat;
    crypto: TurnCrypto;
    counters: Float64Array;
    mediaOnly: boolean;
  }) {
    this.#io = parts.io;
    this.#allocations = parts.allocations;
    this.#filter = parts.filter;
    this.#isOwnMedia = parts.isOwnMedia;
    this.#nat = parts.nat;
    this.#crypto = parts.crypto;
    this.#counters = parts.counters;
    this.#mediaOnly = parts.mediaOnly;
    this.#writer = new StunWriter(parts.io.bytes);
    for (let i = 0; i < this.#peers.length; i++) this.#peers[i] = parts.io.endpoints.acquire();
  }

  /** ChannelData from a client (RFC 8656 §12.6). */
  channelData(socket: number, offset: number, length: number, client: number): void {
    const bytes = this.#io.bytes;
    const dataLength = u16(bytes, offset + 2);
    if (length < CHANNEL_HEADER_BYTES || dataLength > length - CHANNEL_HEADER_BYTES) {
      return this.#drop(TURN.dropBadChannelData);
    }
    const allocation = this.#allocations.ofClient(socket, client);
    if (allocation === undefined) return this.#drop(TURN.dropNoAllocation);
    const { channels } = this.#allocations;
    const channel = this.#allocations.channelNumbered(allocation.id, u16(bytes, offset));
    if (channel < 0 || (channels.expiresAtMs[channel] as number) <= this.nowMs) {
      return this.#dropOf(allocation, TURN.dropUnknownChannel);
    }
    const peer = channels.peer[channel] as number;
    const verdict = channels.verdict[channel] as number;
    const data = offset + CHANNEL_HEADER_BYTES;
    this.#toPeer(allocation, channels, channel, verdict, data, dataLength, peer, false);
  }

  /** A Send indication from a client (RFC 8656 §11.2). */
  sendIndication(request: StunReader, socket: number, client: number): void {
    const allocation = this.#allocations.ofClient(socket, client);
    if (allocation === undefined) return this.#drop(TURN.dropNoAllocation);
    const data = request.value(ATTR_DATA);
    const { endpoints } = this.#io;
    const peer = this.#peers[this.#nextPeer] as number;
    const named =
      data >= 0 &&
      request.peerCount > 0 &&
      readXorAddress(request.bytes, request.offset, request.peers[0] as number, endpoints, peer);
    if (!named) return this.#dropOf(allocation, TURN.dropMalformedStun);
    if (this.#nat.active) this.#nat.toInternal(peer);
    const { permissions } = this.#allocations;
    const permission = this.#allocations.permissionFor(allocation.id, peer);
    if (permission < 0) return this.#dropOf(allocation, TURN.dropNoPermission);
    let verdict = permissions.verdict[permission] as number;
    if (verdict === PEER_OWN_RELAY) verdict = this.#filter.judgeOwnPort(endpoints, peer);
    const dontFragment = request.has(ATTR_DONT_FRAGMENT);
    const length = request.valueLength(ATTR_DATA);
    const flows = permissions;
    const isQueued = this.#toPeer(allocation, flows, permission, verdict, data, length, peer, dontFragment);
    if (isQueued) this.#nextPeer = (this.#nextPeer + 1) % this.#peers.length;
  }

  /** A datagram from a peer at a relay of the allocation (RFC 8656 §11.3, §12.7). */
  fromPeer(allocation: Allocation, offset: number, length: number, source: number): void {
    const { channels, permissions } = this.#allocations;
    this.#allocations.tally(allocation.id, TALLY_PACKETS_FROM_PEERS, 1);
    if (this.#nat.active) this.#nat.toInternal(source);
    const channel = this.#allocations.channelFor(allocation.id, source);
    const flows = channel < 0 ? permissions : channels;
    const flow = channel < 0 ? this.#allocations.permissionFor(allocation.id, source) : channel;
    if (flow < 0 || (permissions.expiresAtMs[flows.permission[flow] as number] as number) <= this.nowMs) {
      return this.#dropOf(allocation, TURN.dropNoPermission);
    }
    let verdict = flows.verdict[flow] as number;
    if (verdict === PEER_OWN_RELAY && channel < 0) {
      verdict = this.#filter.judgeOwnPort(this.#io.endpoints, source);
    }
    const refused = this.#refusal(verdict, offset, length, source);
    if (refused >= 0) return this.#dropOf(allocation, refused);
    flows.packetsFromPeer[flow] = (flows.packetsFromPeer[flow] as number) + 1;
    if (isOwnHost(verdict)) flows.fromOwnHost[flow] = (flows.fromOwnHost[flow] as number) + 1;
    if (channel >= 0 && (channels.expiresAtMs[channel] as number) > this.nowMs) {
      this.#sendChannelData(allocation, channels.detail[channel] as number, offset, length);
    } else {
      this.#sendDataIndication(allocation, offset, length, source, verdict);
    }
  }

  /** An ICMP error that a packet to a permitted peer met: a Data indication tells the client (RFC 8656 §11.5). */
  icmpError(allocation: Allocation, type: number, code: number, info: number, peer: number): void {
    const permission = this.#allocations.permissionFor(allocation.id, peer);
    if (permission < 0) return this.#dropOf(allocation, TURN.dropNoPermission);
    const verdict = this.#allocations.permissions.verdict[permission] as number;
    const { endpoints } = this.#io;
    const writer = this.#writer.begin(this.#io.reserve(), METHOD_DATA, CLASS_INDICATION);
    writer.transactionId(this.#transactionIds, this.#nextTransactionId());
    writer.xorAddress(ATTR_XOR_PEER_ADDRESS, endpoints, this.#asClientsKnow(peer, verdict));
    // Reserved (16), type (7), code (9), error data (RFC 8656 §18.13).
    const value = new Uint8Array(8);
    setU16(value, 2, ((type & 0x7f) << 9) | (code & 0x1ff));
    setU32(value, 4, info);
    writer.attribute(ATTR_ICMP, value);
    count(this.#counters, TURN.icmpIndications);
    this.#io.send(allocation.socket, writer.offset, writer.length, allocation.client);
  }

  /**
   * Sends to a peer, or drops; says whether the row `peer` is now the destination of a queued packet.
   * `flow`: the row of `flows` that the packet goes by, a channel or a permission.
   */
  #toPeer(
    allocation: Allocation,
    flows: FlowRows,
    flow: number,
    verdict: number,
    offset: number,
    length: number,
    peer: number,
    dontFragment: boolean,
  ): boolean {
    const { permissions } = this.#allocations;
    if ((permissions.expiresAtMs[flows.permission[flow] as number] as number) <= this.nowMs) {
      return this.#notQueued(allocation, TURN.dropNoPermission);
    }
    const refused = this.#refusal(verdict, offset, length, peer);
    if (refused >= 0) return this.#notQueued(allocation, refused);
    const isIPv4 = this.#io.endpoints.family(peer) === INET;
    const socket = isIPv4 ? allocation.socketIPv4 : allocation.socketIPv6;
    if (socket < 0) return this.#notQueued(allocation, TURN.dropPeerFamily);
    count(this.#counters, TURN.clientToPeerPackets);
    count(this.#counters, TURN.clientToPeerBytes, length);
    this.#allocations.tally(allocation.id, TALLY_PACKETS_FROM_CLIENT, 1);
    this.#allocations.tally(allocation.id, TALLY_BYTES_FROM_CLIENT, length);
    flows.packetsToPeer[flow] = (flows.packetsToPeer[flow] as number) + 1;
    if (isOwnHost(verdict)) flows.toOwnHost[flow] = (flows.toOwnHost[flow] as number) + 1;
    if (verdict === PEER_OWN_RELAY) {
      const other = this.#allocations.ofRelay(peer);
      const relay = isIPv4 ? allocation.relayIPv4 : allocation.relayIPv6;
      if (other !== undefined && relay !== undefined) {
        count(this.#counters, TURN.shortcutPackets);
        this.fromPeer(other, offset, length, relay.endpoint);
        return false;
      }
    }
    if (dontFragment) this.#io.sendDontFragment(socket, offset, length, peer);
    else this.#io.send(socket, offset, length, peer);
    return true;
  }

  /** The drop reason for a packet by the peer's verdict or the media policy, or -1 if it may pass. */
  #refusal(verdict: number, offset: number, length: number, peer: number): number {
    if (verdict === PEER_FORBIDDEN) return TURN.dropPeerForbidden;
    // Asked for each packet: a port that the B2BUA has closed is any program's the next moment.
    if (verdict === PEER_OWN_HOST && !this.#isOwnMedia(peer)) return TURN.dropPeerOwnHost;
    if (!this.#mediaOnly) return -1;
    const kind = length === 0 ? -1 : kindOf(this.#io.bytes, offset);
    return kind === KIND_RTP || kind === KIND_STUN || kind === KIND_DTLS ? -1 : TURN.dropNotMedia;
  }

  #sendChannelData(allocation: Allocation, channelNumber: number, offset: number, length: number): void {
    this.#countToClient(allocation, length);
    const start = offset - CHANNEL_HEADER_BYTES;
    setU16(this.#io.bytes, start, channelNumber);
    setU16(this.#io.bytes, start + 2, length);
    this.#io.send(allocation.socket, start, length + CHANNEL_HEADER_BYTES, allocation.client);
  }

  /** Writes header, XOR-PEER-ADDRESS and the head of DATA in front of the payload, in the slab's headroom. */
  #sendDataIndication(
    allocation: Allocation,
    offset: number,
    length: number,
    source: number,
    verdict: number,
  ): void {
    const { bytes, endpoints } = this.#io;
    const peerBytes = addressValueBytes(endpoints.family(source) === INET);
    const padded = (length + 3) & ~3;
    const bodyBytes = 4 + peerBytes + 4 + padded;
    if (bodyBytes > STUN_BODY_BYTES_MAX) return this.#dropOf(allocation, TURN.dropTooLarge);
    this.#countToClient(allocation, length);
    const start = offset - 4 - peerBytes - 4 - STUN_HEADER_BYTES;
    const transactionId = this.#nextTransactionId();
    setU16(bytes, start, DATA_INDICATION);
    setU16(bytes, start + 2, bodyBytes);
    setU32(bytes, start + 4, MAGIC_COOKIE);
    for (let i = 0; i < 12; i++) bytes[start + 8 + i] = this.#transactionIds[transactionId + i] as number;
    setU16(bytes, start + STUN_HEADER_BYTES, ATTR_XOR_PEER_ADDRESS);
    setU16(bytes, start + STUN_HEADER_BYTES + 2, peerBytes);
    const peer = this.#asClientsKnow(source, verdict);
    writeAddressValue(bytes, start, start + STUN_HEADER_BYTES + 4, endpoints, peer);
    setU16(bytes, offset - 4, ATTR_DATA);
    setU16(bytes, offset - 2, length);
    for (let i = length; i < padded; i++) bytes[offset + i] = 0;
    this.#io.send(allocation.socket, start, STUN_HEADER_BYTES + bodyBytes, allocation.client);
  }

  /** The row with a peer's address as its client named it: behind static NAT, our own external one. */
  #asClientsKnow(peer: number, verdict: number): number {
    return verdict === PEER_OWN_RELAY || isOwnHost(verdict) ? this.#nat.shown(peer) : peer;
  }

  /** Offset of 12 unused random bytes. */
  #nextTransactionId(): number {
    if (this.#transactionIdsUsed === TRANSACTION_POOL_BYTES) {
      this.#crypto.randomFill(this.#transactionIds);
      this.#transactionIdsUsed = 0;
    }
    this.#transactionIdsUsed += 12;
    return this.#transactionIdsUsed - 12;
  }

  #countToClient(allocation: Allocation, length: number): void {
    count(this.#counters, TURN.peerToClientPackets);
    count(this.#counters, TURN.peerToClientBytes, length);
    this.#allocations.tally(allocation.id, TALLY_PACKETS_TO_CLIENT, 1);
    this.#allocations.tally(allocation.id, TALLY_BYTES_TO_CLIENT, length);
  }

  #drop(reason: number): void {
    count(this.#counters, reason);
  }

  #notQueued(allocation: Allocation, reason: number): false {
    this.#dropOf(allocation, reason);
    return false;
  }

  #dropOf(allocation: Allocation, reason: number): void {
    count(this.#counters, reason);
    this.#allocations.tally(allocation.id, TALLY_PACKETS_DROPPED, 1);
  }
}

/** This host itself: what the packet went to, or came from, is its B2BUA as a rule. */
function isOwnHost(verdict: number): boolean {
  return verdict === PEER_OWN_HOST || verdict === PEER_OWN_HOST_ALLOWED;
}
