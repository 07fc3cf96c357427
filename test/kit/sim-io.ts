/**
 * `DatagramIo` of one worker on the simulated network, and a strict landlord of it: it holds a core to
 * every promise of `wire/datagram-io`. It throws when a core writes outside the slot it was lent, when
 * bytes or rows that are queued to be sent change before they are, when a socket is closed twice or
 * used after; and after each batch it fills what it lent with rubbish, so that a kept view is found out.
 */
import {
  type DatagramIo,
  type DatagramReceiver,
  HEADROOM_BYTES,
  OPEN_ADDRESS_UNAVAILABLE,
  OPEN_PORT_IN_USE,
  QUEUED_SENDS_MAX,
  RESERVED_SLOT_BYTES,
  TAILROOM_BYTES,
} from '../../src/wire/datagram-io.ts';
import { ENDPOINT_WORDS, EndpointBook } from '../../src/wire/endpoint.ts';
import type { IcmpError, Place, SimNetwork, SimSocket } from './sim-network.ts';

export const PACKET_BYTES_MAX = 2048;
/** Packets that can be held at once; an engine that takes aggregates apart (GRO) holds thousands. */
const SLOTS_DEFAULT = 128;
const GUARD_BYTES = 32;
const GUARD = 0xa5;
const RUBBISH = 0xdb;
const SLOT_BYTES = GUARD_BYTES + HEADROOM_BYTES + PACKET_BYTES_MAX + TAILROOM_BYTES + GUARD_BYTES;
const RESERVED_STRIDE = GUARD_BYTES + RESERVED_SLOT_BYTES + GUARD_BYTES;
const ROW_WORDS = ENDPOINT_WORDS - 1; // the last word is the book's own

/** Sockets that one worker has let go of and another may take: the file descriptors of a process. */
export class SimDescriptors {
  readonly #sockets = new Map<number, DetachedSocket>();
  #next = 1;

  /** Detached sockets that nobody has taken or discarded. */
  get size(): number {
    return this.#sockets.size;
  }

  put(socket: SimSocket): number {
    const token = this.#next++;
    const detached: DetachedSocket = { socket, backlog: [] };
    socket.owner = { receive: (bytes, from) => detached.backlog.push({ bytes, from }) };
    this.#sockets.set(token, detached);
    return token;
  }

  get(token: number): DetachedSocket | undefined {
    return this.#sockets.get(token);
  }

  delete(token: number): void {
    if (!this.#sockets.delete(token)) throw new Error(`descriptor ${token} was let go of twice`);
  }
}

interface DetachedSocket {
  readonly socket: SimSocket;
  /** What has arrived meanwhile: the kernel keeps it for the next owner. */
  readonly backlog: { bytes: Uint8Array; from: Place }[];
}

/** The far end of a stream connection: whole messages, in order, without loss. */
export interface SimStream {
  readonly place: Place;
  /** What the server has sent, oldest first. */
  onMessage: (bytes: Uint8Array) => void;
  send(bytes: Uint8Array): void;
  close(): void;
}

interface OpenSocket {
  readonly receiver: DatagramReceiver;
  readonly tag: number;
  readonly socket: SimSocket | undefined;
  readonly stream: SimStream | undefined;
}

interface QueuedSend {
  readonly from: OpenSocket;
  readonly offset: number;
  readonly destination: number;
  readonly bytes: Uint8Array;
  readonly row: Int32Array;
}

export class SimIo implements DatagramIo {
  readonly bytes: Uint8Array;
  readonly endpoints: EndpointBook;
  canSetDontFragment = true;
  /** Programmable refusals of {@link open}: an `OPEN_…` reason, or 0 for none. */
  refuseOpen: (place: Place) => number = () => 0;
  /** Datagrams sent, for assertions about what leaves the node. */
  sent: { readonly bytes: Uint8Array; readonly to: Place; readonly dontFragment: boolean }[] = [];
  readonly #network: SimNetwork;
  readonly #descriptors: SimDescriptors;
  readonly #slots: number;
  readonly #reservedOffset: number;
  readonly #open = new Map<number, OpenSocket>();
  readonly #receivers = new Set<DatagramReceiver>();
  #free: number[] = [];
  #nextSocket = 0;
  #inbox: (() => void)[] = [];
  #queue: QueuedSend[] = [];
  #slotsUsed = 0;
  #reservedUsed = 0;
  #isInBatch = false;

  /** `endpointRows`: capacity of the book beyond the rows lent with packets. */
  constructor(
    network: SimNetwork,
    descriptors: SimDescriptors,
    endpointRows: number,
    slots: number = SLOTS_DEFAULT,
  ) {
    this.#network = network;
    this.#descriptors = descriptors;
    this.#slots = slots;
    this.#reservedOffset = slots * SLOT_BYTES;
    this.bytes = new Uint8Array(slots * (SLOT_BYTES + RESERVED_STRIDE)).fill(GUARD);
    this.endpoints = new EndpointBook(slots + endpointRows, slots);
  }

  /** Sockets open here, streams among them. */
  get openSockets(): number {
    return this.#open.size;
  }

  open(local: number, receiver: DatagramReceiver, tag: number): number {
    return this.#bind(local, receiver, tag, false);
  }

  /** As {@link open}, for a port that the workers share. */
  openListener(local: number, receiver: DatagramReceiver, tag: number): number {
    return this.#bind(local, receiver, tag, true);
  }

  close(socket: number): void {
    const { socket: bound } = this.#remove(socket);
    if (bound) this.#network.unbind(bound);
  }

  detach(socket: number): number {
    const { socket: bound } = this.#remove(socket);
    if (bound === undefined) throw new Error(`socket ${socket} cannot be detached`);
    return this.#descriptors.put(bound);
  }

  attach(token: number, receiver: DatagramReceiver, tag: number): number {
    const detached = this.#descriptors.get(token);
    if (detached === undefined) return OPEN_ADDRESS_UNAVAILABLE;
    const refusal = this.refuseOpen(detached.socket.place);
    if (refusal !== 0) return refusal;
    this.#descriptors.delete(token);
    const socket = this.#add({ receiver, tag, socket: detached.socket, stream: undefined });
    for (const { bytes, from } of detached.backlog) detached.socket.owner.receive(bytes, from);
    return socket;
  }

  discard(token: number): void {
    const detached = this.#descriptors.get(token);
    this.#descriptors.delete(token);
    if (detached) this.#network.unbind(detached.socket);
  }

  reserve(): number {
    if (this.#reservedUsed === this.#slots) {
      this.#flush();
      this.#checkReserved();
      this.#reservedUsed = 0;
    }
    return this.#reservedOffset + this.#reservedUsed++ * RESERVED_STRIDE + GUARD_BYTES;
  }

  send(socket: number, offset: number, length: number, destination: number): void {
    if (this.#queue.length === QUEUED_SENDS_MAX) this.#flush();
    this.#queue.push(this.#queued(socket, offset, length, destination));
  }

  sendDontFragment(socket: number, offset: number, length: number, destination: number): void {
    this.#flush();
    this.#transmit(this.#queued(socket, offset, length, destination), true);
  }

  isStream(socket: number): boolean {
    return this.#open.get(socket)?.stream !== undefined;
  }

  /** Accepts a stream connection from `place` for the listener `tag`. */
  acceptStream(place: Place, receiver: DatagramReceiver, tag: number): SimStream {
    const latencyMs = this.#network.defaultLink.latencyMs;
    let isOpen = true;
    const stream: SimStream = {
      place,
      onMessage: () => {},
      send: (bytes) => {
        const copy = Uint8Array.from(bytes);
        this.#network.after(latencyMs, () => {
          if (isOpen) this.#enqueue(ifThere(() => this.#deliver(number, copy, place)));
        });
      },
      close: () => {
        isOpen = false;
        this.#network.after(latencyMs, () => this.#enqueue(ifThere(() => this.#streamClosed(number, place))));
      },
    };
    const number = this.#add({ receiver, tag, socket: undefined, stream });
    const ifThere = (run: () => void) => (): void => {
      if (this.#open.get(number)?.stream === stream) run();
    };
    return stream;
  }

  /** Hands packets over at once, all in one batch of the core, whatever their number. */
  batch(socket: number, packets: readonly { readonly bytes: Uint8Array; readonly from: Place }[]): void {
    this.#inbox.push(
      ...packets.map(
        ({ bytes, from }) =>
          () =>
            this.#deliver(socket, bytes, from),
      ),
    );
    this.#work();
  }

  /** Has the receivers sweep, as an engine does once a second. */
  sweep(): void {
    for (const receiver of this.#receivers) receiver.sweep(this.#network.nowMs);
    this.#flush();
  }

  /** A core that is swept even while it has no socket. */
  addReceiver(receiver: DatagramReceiver): void {
    this.#receivers.add(receiver);
  }

  #bind(local: number, receiver: DatagramReceiver, tag: number, isShared: boolean): number {
    const place = { address: this.endpoints.addressText(local), port: this.endpoints.port(local) };
    const refusal = this.refuseOpen(place);
    if (refusal !== 0) return refusal;
    const socket = this.#network.bind(place, { receive: () => {} }, isShared);
    if (socket === undefined) return OPEN_PORT_IN_USE;
    return this.#add({ receiver, tag, socket, stream: undefined });
  }

  #add(added: OpenSocket): number {
    const number = this.#free.pop() ?? this.#nextSocket++;
    this.#open.set(number, added);
    if (added.socket) {
      const mine = (run: () => void) => (): void => {
        if (this.#open.get(number) === added) run();
      };
      added.socket.owner = {
        receive: (bytes, from) => this.#enqueue(mine(() => this.#deliver(number, bytes, from))),
        icmpError: (error) => this.#enqueue(mine(() => this.#deliverError(number, error))),
      };
    }
    return number;
  }

  /** Takes a socket out of use; an engine sends what is queued on it first. */
  #remove(socket: number): OpenSocket {
    const open = this.#open.get(socket);
    if (open === undefined) throw new Error(`socket ${socket} is closed, but it is not open`);
    if (this.#queue.some(({ from }) => from === open)) this.#flush();
    this.#open.delete(socket);
    this.#free.push(socket);
    return open;
  }

  /** What arrives in the same millisecond makes one batch. */
  #enqueue(item: () => void): void {
    this.#inbox.push(item);
    if (this.#inbox.length === 1) this.#network.after(0, () => this.#work());
  }

  #work(): void {
    const items = this.#inbox;
    this.#inbox = [];
    this.#isInBatch = true;
    for (const receiver of this.#receivers) receiver.batchBegins(this.#network.nowMs);
    for (const item of items) item();
    this.#flush();
    this.#isInBatch = false;
    this.#checkReserved();
    this.#spoil();
  }

  #deliver(number: number, bytes: Uint8Array, from: Place): void {
    const open = this.#open.get(number);
    if (open === undefined) return;
    if (bytes.length > PACKET_BYTES_MAX) throw new Error(`packet of ${bytes.length} bytes fits no slot`);
    if (this.#slotsUsed === this.#slots) {
      this.#flush();
      this.#spoil();
    }
    const slot = this.#slotsUsed++;
    const start = slot * SLOT_BYTES;
    const offset = start + GUARD_BYTES + HEADROOM_BYTES;
    this.bytes.fill(RUBBISH, start, start + SLOT_BYTES);
    this.bytes.fill(GUARD, start, start + GUARD_BYTES);
    this.bytes.fill(GUARD, offset + bytes.length + TAILROOM_BYTES, start + SLOT_BYTES);
    this.bytes.set(bytes, offset);
    if (!this.endpoints.setText(slot, from.address, from.port))
      throw new Error(`no address: ${from.address}`);
    open.receiver.receive(open.tag, number, offset, bytes.length, slot);
    this.#checkGuard(start, start + GUARD_BYTES);
    this.#checkGuard(offset + bytes.length + TAILROOM_BYTES, start + SLOT_BYTES);
  }

  #deliverError(number: number, error: IcmpError): void {
    const open = this.#open.get(number);
    if (open === undefined) return;
    if (this.#slotsUsed === this.#slots) {
      this.#flush();
      this.#spoil();
    }
    const row = this.#slotsUsed++;
    this.endpoints.setText(row, error.destination.address, error.destination.port);
    open.receiver.receiveIcmpError(open.tag, error.type, error.code, error.info, row);
  }

  #streamClosed(number: number, place: Place): void {
    const open = this.#open.get(number);
    if (open === undefined) return;
    this.endpoints.setText(0, place.address, place.port);
    open.receiver.streamClosed(number, 0);
    this.#remove(number);
  }

  #queued(socket: number, offset: number, length: number, destination: number): QueuedSend {
    const from = this.#open.get(socket);
    if (from === undefined) throw new Error(`sent on socket ${socket}, which is not open`);
    this.#checkLent(offset, length);
    if (destination < 0 || destination >= this.endpoints.capacity)
      throw new Error(`row ${destination} is none`);
    return {
      from,
      offset,
      destination,
      bytes: this.bytes.slice(offset, offset + length),
      row: this.#rowWords(destination),
    };
  }

  /** Throws unless the bytes lie in one slot, guards excluded, that is lent at the moment. */
  #checkLent(offset: number, length: number): void {
    const isReserved = offset >= this.#reservedOffset;
    const stride = isReserved ? RESERVED_STRIDE : SLOT_BYTES;
    const slot = Math.floor((offset - (isReserved ? this.#reservedOffset : 0)) / stride);
    const start = (isReserved ? this.#reservedOffset : 0) + slot * stride;
    const isLent = this.#isInBatch && slot < (isReserved ? this.#reservedUsed : this.#slotsUsed);
    if (!isLent || offset < start + GUARD_BYTES || offset + length > start + stride - GUARD_BYTES) {
      throw new Error(`sent ${length} bytes at ${offset}, which no slot in use holds`);
    }
  }

  #flush(): void {
    const queue = this.#queue;
    this.#queue = [];
    for (const queued of queue) this.#transmit(queued, false);
    this.endpoints.recycle();
  }

  #transmit({ from, offset, destination, bytes, row }: QueuedSend, dontFragment: boolean): void {
    if (this.#rowWords(destination).some((word, i) => word !== row[i])) {
      throw new Error(`the destination of a queued packet became ${this.endpoints.text(destination)}`);
    }
    if (bytes.some((byte, i) => byte !== this.bytes[offset + i])) {
      throw new Error('the bytes of a queued packet changed before it was sent');
    }
    const to = { address: this.endpoints.addressText(destination), port: this.endpoints.port(destination) };
    this.sent.push({ bytes, to, dontFragment });
    if (from.socket) this.#network.send(from.socket, bytes, to, dontFragment);
    else this.#network.after(this.#network.defaultLink.latencyMs, () => from.stream?.onMessage(bytes));
  }

  #rowWords(row: number): Int32Array {
    return this.endpoints.words.slice(row * ENDPOINT_WORDS, row * ENDPOINT_WORDS + ROW_WORDS);
  }

  #checkGuard(from: number, to: number): void {
    for (let i = from; i < to; i++) {
      if (this.bytes[i] !== GUARD) throw new Error(`byte ${i} of the slab, outside every slot, was written`);
    }
  }

  #checkReserved(): void {
    for (let slot = 0; slot < this.#reservedUsed; slot++) {
      const start = this.#reservedOffset + slot * RESERVED_STRIDE;
      this.#checkGuard(start, start + GUARD_BYTES);
      this.#checkGuard(start + RESERVED_STRIDE - GUARD_BYTES, start + RESERVED_STRIDE);
    }
  }

  /** Ends the loan of slots and rows: nothing that was in them is to be found there. */
  #spoil(): void {
    for (let slot = 0; slot < this.#slotsUsed; slot++) {
      const start = slot * SLOT_BYTES;
      this.bytes.fill(RUBBISH, start, start + SLOT_BYTES);
      this.endpoints.words.fill(0x5b5b5b5b, slot * ENDPOINT_WORDS, (slot + 1) * ENDPOINT_WORDS);
    }
    for (let slot = 0; slot < this.#reservedUsed; slot++) {
      const start = this.#reservedOffset + slot * RESERVED_STRIDE + GUARD_BYTES;
      this.bytes.fill(RUBBISH, start, start + RESERVED_SLOT_BYTES);
    }
    this.#slotsUsed = 0;
    this.#reservedUsed = 0;
  }
}
