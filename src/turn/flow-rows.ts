/**
 * Rows for permissions and channels: columns in typed arrays that grow by doubling, with a free list,
 * and per owner a linked list. A few dozen bytes a row, and nothing for the garbage collector.
 */

const INITIAL_ROWS = 256;

export class FlowRows {
  /** The allocation that owns the row. */
  owner: Int32Array = new Int32Array(INITIAL_ROWS);
  /** The owner's next row, or -1; in free rows, the next free one. */
  next: Int32Array = new Int32Array(INITIAL_ROWS);
  /** Row of the peer in the endpoint book. */
  peer: Int32Array = new Int32Array(INITIAL_ROWS);
  /** When the row ends, in the engine's milliseconds. */
  expiresAtMs: Float64Array = new Float64Array(INITIAL_ROWS);
  /** What the peer filter said of the peer: a `PEER_…` verdict. */
  verdict: Int32Array = new Int32Array(INITIAL_ROWS);
  /** Channels: the channel number. Permissions: how many channels stand on it. */
  detail: Int32Array = new Int32Array(INITIAL_ROWS);
  /** Row of the permission that lets packets pass: a channel's, or a permission's own. */
  permission: Int32Array = new Int32Array(INITIAL_ROWS);
  /** Packets relayed to the peer and from it. What goes by a channel is not counted at its permission. */
  packetsToPeer: Float64Array = new Float64Array(INITIAL_ROWS);
  packetsFromPeer: Float64Array = new Float64Array(INITIAL_ROWS);
  /** Those of them that went to and came from this host itself, its B2BUA: relays may live at its IP address too. */
  toOwnHost: Float64Array = new Float64Array(INITIAL_ROWS);
  fromOwnHost: Float64Array = new Float64Array(INITIAL_ROWS);
  #free = -1;
  #untouched = 0;
  #size = 0;

  /** Rows in use. */
  get size(): number {
    return this.#size;
  }

  /** A row whose packet counts are 0; what else is in it is undefined. */
  acquire(): number {
    this.#size++;
    let row = this.#free;
    if (row >= 0) {
      this.#free = this.next[row] as number;
    } else {
      if (this.#untouched === this.owner.length) this.#grow();
      row = this.#untouched++;
    }
    this.packetsToPeer[row] = 0;
    this.packetsFromPeer[row] = 0;
    this.toOwnHost[row] = 0;
    this.fromOwnHost[row] = 0;
    return row;
  }

  release(row: number): void {
    this.next[row] = this.#free;
    this.#free = row;
    this.#size--;
  }

  /** The rows of an owner's list, oldest first. Control plane. */
  listed(first: number): number[] {
    const rows: number[] = [];
    for (let row = first; row >= 0; row = this.next[row] ?? -1) rows.push(row);
    return rows.reverse();
  }

  #grow(): void {
    const rows = this.owner.length * 2;
    this.owner = grown(this.owner, new Int32Array(rows));
    this.next = grown(this.next, new Int32Array(rows));
    this.peer = grown(this.peer, new Int32Array(rows));
    this.expiresAtMs = grown(this.expiresAtMs, new Float64Array(rows));
    this.verdict = grown(this.verdict, new Int32Array(rows));
    this.detail = grown(this.detail, new Int32Array(rows));
    this.permission = grown(this.permission, new Int32Array(rows));
    this.packetsToPeer = grown(this.packetsToPeer, new Float64Array(rows));
    this.packetsFromPeer = grown(this.packetsFromPeer, new Float64Array(rows));
    this.toOwnHost = grown(this.toOwnHost, new Float64Array(rows));
    this.fromOwnHost = grown(this.fromOwnHost, new Float64Array(rows));
  }
}

export function grown<Column extends Int32Array | Float64Array>(from: Column, to: Column): Column {
  to.set(from);
  return to;
}
