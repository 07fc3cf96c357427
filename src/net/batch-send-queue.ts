/**
 * What the cores queued within a batch, and how it goes out: packets to one destination that are of
 * equal size become one message (UDP_SEGMENT), the messages of one socket go out in one call, and a
 * single packet in the simplest call there is.
 *
 * The order of packets from one socket to one row of the book is kept. Sockets are independent.
 */
import { count } from '../wire/counters.ts';
import { ENDPOINT_BYTES, type EndpointBook } from '../wire/endpoint.ts';
import type { BatchSockets } from './batch-sockets.ts';
import { ENGINE } from './engine.ts';
import { EAGAIN, EINVAL, EIO, EMSGSIZE, ENOBUFS, ENOMEM } from './linux/abi.ts';
import type { SendRing } from './linux/send-ring.ts';

/** Packets queued before they are sent although the batch goes on. */
export const QUEUED_PACKETS_MAX = 1024;
/** Limits of a message of several packets: UDP_MAX_SEGMENTS of older kernels, and IPv4's total length. */
const MERGED_PACKETS_MAX = 64;
const MERGED_BYTES_MAX = 65_000;
/** Larger packets are not merged: past an Ethernet's MTU the kernel would have to fragment, and refuses. */
const MERGED_PACKET_BYTES_MAX = 1472;
/** The kernel's word on one path's MTU does not end merging for packets this small on all others. */
const MERGED_PACKET_BYTES_FLOOR = 512;
/** A refusal of packets this small cannot be the path's MTU: there is no merging on this machine. */
const MTU_MIN_PACKET_BYTES = 1200;

/** What the queue needs of the ring (a test gives its own). */
export type MessageRing = Pick<SendRing, 'clear' | 'begin' | 'add' | 'send' | 'sendOne'>;

export class SendQueue {
  readonly #ring: MessageRing;
  readonly #sockets: BatchSockets;
  readonly #book: EndpointBook;
  readonly #counters: Float64Array;
  readonly #slabOffset: number;

  // Packets, each with the next of its message.
  readonly #packetOffset: Int32Array = new Int32Array(QUEUED_PACKETS_MAX);
  readonly #packetLength: Int32Array = new Int32Array(QUEUED_PACKETS_MAX);
  readonly #packetNext: Int32Array = new Int32Array(QUEUED_PACKETS_MAX);
  #packets = 0;

  // Messages, each with the next of its socket.
  readonly #socketOf: Int32Array = new Int32Array(QUEUED_PACKETS_MAX);
  readonly #rowOf: Int32Array = new Int32Array(QUEUED_PACKETS_MAX);
  readonly #first: Int32Array = new Int32Array(QUEUED_PACKETS_MAX);
  readonly #last: Int32Array = new Int32Array(QUEUED_PACKETS_MAX);
  readonly #packetsIn: Int32Array = new Int32Array(QUEUED_PACKETS_MAX);
  readonly #bytesIn: Int32Array = new Int32Array(QUEUED_PACKETS_MAX);
  /** Size of a message's packets while more may join it; -1 once a shorter one ended it. */
  readonly #joinBytes: Int32Array = new Int32Array(QUEUED_PACKETS_MAX);
  readonly #next: Int32Array = new Int32Array(QUEUED_PACKETS_MAX);
  #messages = 0;

  /** The last message to each row. Stale entries show: the message there is another's, or not there. */
  readonly #lastTo: Int32Array;
  /** Sockets with messages, in order of their first. */
  readonly #touched: Int32Array = new Int32Array(QUEUED_PACKETS_MAX);
  #touchedCount = 0;

  #mergeBytesMax = MERGED_PACKET_BYTES_MAX;
  #mergeRefusal = 0;

  /** The book lies at the start of the ring's memory, the slab at `slabOffset`. */
  constructor(
    ring: MessageRing,
    sockets: BatchSockets,
    book: EndpointBook,
    counters: Float64Array,
    slabOffset: number,
  ) {
    this.#ring = ring;
    this.#sockets = sockets;
    this.#book = book;
    this.#counters = counters;
    this.#slabOffset = slabOffset;
    this.#lastTo = new Int32Array(book.capacity);
  }

  /** The errno with which the kernel refused to cut messages apart, so that packets go singly; 0: it does not. */
  get mergeRefusal(): number {
    return this.#mergeRefusal;
  }

  /** Queues a packet; socket, row and bytes are known to be valid. */
  push(socket: number, offset: number, length: number, row: number): void {
    if (this.#packets === QUEUED_PACKETS_MAX) this.flush();
    const packet = this.#packets++;
    this.#packetOffset[packet] = offset;
    this.#packetLength[packet] = length;
    this.#packetNext[packet] = -1;
    const message = this.#lastTo[row] as number;
    const isOpen =
      message < this.#messages && this.#rowOf[message] === row && this.#socketOf[message] === socket;
    if (isOpen && this.#joins(message, length)) {
      this.#packetNext[this.#last[message] as number] = packet;
      this.#last[message] = packet;
      this.#packetsIn[message] = (this.#packetsIn[message] as number) + 1;
      this.#bytesIn[message] = (this.#bytesIn[message] as number) + length;
      if (length < (this.#joinBytes[message] as number)) this.#joinBytes[message] = -1;
    } else {
      this.#begin(socket, row, packet, length);
    }
  }

  /** Sends all that is queued. */
  flush(): void {
    const touched = this.#touchedCount;
    if (touched === 0) return;
    for (let i = 0; i < touched; i++) this.#flushSocket(this.#touched[i] as number);
    this.#touchedCount = 0;
    this.#messages = 0;
    this.#packets = 0;
  }

  /**
   * Sends one packet now; it must not overtake any, so the queue is flushed first. Not tried again if
   * it is too big: the kernel queues an error for each try.
   */
  sendNow(socket: number, offset: number, length: number, row: number): void {
    this.flush();
    this.#sendPacket(this.#sockets.fd[socket] as number, offset, length, row, -EMSGSIZE);
  }

  #joins(message: number, length: number): boolean {
    const joinBytes = this.#joinBytes[message] as number;
    return (
      length <= joinBytes &&
      length > 0 &&
      joinBytes <= this.#mergeBytesMax &&
      (this.#packetsIn[message] as number) < MERGED_PACKETS_MAX &&
      (this.#bytesIn[message] as number) + length <= MERGED_BYTES_MAX
    );
  }

  #begin(socket: number, row: number, packet: number, length: number): void {
    const message = this.#messages++;
    this.#socketOf[message] = socket;
    this.#rowOf[message] = row;
    this.#first[message] = packet;
    this.#last[message] = packet;
    this.#packetsIn[message] = 1;
    this.#bytesIn[message] = length;
    this.#joinBytes[message] = length;
    this.#next[message] = -1;
    this.#lastTo[row] = message;
    const { sendHead, sendTail } = this.#sockets;
    if ((sendHead[socket] as number) < 0) {
      sendHead[socket] = message;
      this.#touched[this.#touchedCount++] = socket;
    } else {
      this.#next[sendTail[socket] as number] = message;
    }
    sendTail[socket] = message;
  }

  #flushSocket(socket: number): void {
    const { sendHead, fd } = this.#sockets;
    const head = sendHead[socket] as number;
    sendHead[socket] = -1;
    const descriptor = fd[socket] as number;
    if (this.#packetsIn[head] === 1 && (this.#next[head] as number) < 0) {
      const packet = this.#first[head] as number;
      this.#sendPacket(
        descriptor,
        this.#packetOffset[packet] as number,
        this.#packetLength[packet] as number,
        this.#rowOf[head] as number,
      );
    } else {
      this.#sendMessages(descriptor, head);
    }
  }

  /**
   * Sends a socket's messages. An error may be an earlier packet's (an ICMP error on a socket with
   * IP_RECVERR), which the kernel reports once in place of a result: so each message is tried twice.
   */
  #sendMessages(fd: number, head: number): void {
    const ring = this.#ring;
    ring.clear();
    let messages = 0;
    for (let message = head; message >= 0; message = this.#next[message] as number) {
      this.#fill(message);
      messages++;
    }
    let retried = false;
    let message = head;
    for (let done = 0; done < messages; ) {
      const sent = ring.send(fd, done);
      if (sent > 0) {
        done += sent;
        for (let i = 0; i < sent; i++) message = this.#countSent(message);
        retried = false;
      } else if (!retried && !isFull(sent)) {
        retried = true;
      } else if (isFull(sent)) {
        for (; message >= 0; message = this.#next[message] as number) {
          count(this.#counters, ENGINE.dropSocketFull, this.#packetsIn[message] as number);
        }
        return;
      } else {
        if ((this.#packetsIn[message] as number) > 1 && isMergeRefusal(sent))
          this.#sendSingly(fd, message, sent);
        else count(this.#counters, dropReason(sent), this.#packetsIn[message] as number);
        message = this.#next[message] as number;
        done++;
        retried = false;
      }
    }
  }

  #fill(message: number): void {
    const row = this.#rowOf[message] as number;
    let packet = this.#first[message] as number;
    const segmentBytes =
      (this.#packetsIn[message] as number) > 1 ? (this.#packetLength[packet] as number) : 0;
    this.#ring.begin(row * ENDPOINT_BYTES, this.#book.family(row), segmentBytes);
    for (; packet >= 0; packet = this.#packetNext[packet] as number) {
      const offset = this.#slabOffset + (this.#packetOffset[packet] as number);
      this.#ring.add(offset, this.#packetLength[packet] as number);
    }
  }

  #countSent(message: number): number {
    const counters = this.#counters;
    count(counters, ENGINE.packetsSent, this.#packetsIn[message] as number);
    count(counters, ENGINE.bytesSent, this.#bytesIn[message] as number);
    return this.#next[message] as number;
  }

  /** Sends a refused message's packets one by one, and learns from the refusal if that was its reason. */
  #sendSingly(fd: number, message: number, refusal: number): void {
    const row = this.#rowOf[message] as number;
    let packet = this.#first[message] as number;
    const segmentBytes = this.#packetLength[packet] as number;
    let sent = 0;
    for (; packet >= 0; packet = this.#packetNext[packet] as number) {
      const offset = this.#packetOffset[packet] as number;
      if (this.#sendPacket(fd, offset, this.#packetLength[packet] as number, row)) sent++;
    }
    if (sent === 0) return; // nothing gets there, merged or not
    if (refusal === -EMSGSIZE || (refusal === -EINVAL && segmentBytes > MTU_MIN_PACKET_BYTES)) {
      this.#mergeBytesMax = Math.max(
        MERGED_PACKET_BYTES_FLOOR,
        Math.min(this.#mergeBytesMax, segmentBytes - 1),
      );
    } else {
      this.#mergeBytesMax = 0;
      this.#mergeRefusal = -refusal;
    }
  }

  /** True if the kernel took the packet. Errors may be an earlier packet's, so it is tried twice, but for `finalError`. */
  #sendPacket(fd: number, offset: number, length: number, row: number, finalError = 0): boolean {
    const family = this.#book.family(row);
    const destination = row * ENDPOINT_BYTES;
    const from = this.#slabOffset + offset;
    let sent = this.#ring.sendOne(fd, from, length, destination, family);
    if (sent < 0 && sent !== finalError && !isFull(sent))
      sent = this.#ring.sendOne(fd, from, length, destination, family);
    if (sent < 0) {
      count(this.#counters, dropReason(sent));
      return false;
    }
    count(this.#counters, ENGINE.packetsSent);
    count(this.#counters, ENGINE.bytesSent, length);
    return true;
  }
}

function isFull(sent: number): boolean {
  return sent === -EAGAIN || sent === -ENOBUFS || sent === -ENOMEM;
}

/** Errors by which kernels refuse to cut a message apart, each of which can have other reasons too. */
function isMergeRefusal(sent: number): boolean {
  return sent === -EIO || sent === -EINVAL || sent === -EMSGSIZE;
}

function dropReason(sent: number): number {
  if (isFull(sent)) return ENGINE.dropSocketFull;
  return sent === -EMSGSIZE ? ENGINE.dropTooBig : ENGINE.dropSendFailed;
}
