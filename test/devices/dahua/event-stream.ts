import type { Duplex } from 'node:stream';
import type { Chunker } from '../chunker';

export interface StreamHooks {
  /** Bytes handed to the socket. */
  sent(bytes: number): void;
  /** The client left too much unread and was dropped. */
  dropped(): void;
}

export interface StreamOptions {
  /** Codes asked for; null: all. */
  codes: ReadonlySet<string> | null;
  maxQueuedBytes: number;
  chunker: Chunker | undefined;
}

/** One client of `action=attach`: writes at once, or piece by piece with a chunker, and never lets unread bytes grow without bound. */
export class EventStream {
  /** A silent stream keeps its socket and says nothing. */
  silent = false;
  private readonly pieces: Buffer[] = [];
  private queued = 0;
  private pumping = false;
  private ending = false;
  private beating: NodeJS.Timeout | undefined;

  constructor(
    private readonly socket: Duplex,
    private readonly options: StreamOptions,
    private readonly hooks: StreamHooks,
  ) {}

  wants(code: string): boolean {
    return this.options.codes?.has(code) ?? true;
  }

  beatEvery(ms: number, beat: () => void): void {
    this.beating = setInterval(beat, ms);
  }

  /** False when nothing was written: silent, ended or dropped. */
  write(bytes: Buffer): boolean {
    if (this.silent || this.ending || this.socket.destroyed) return false;
    if (this.queued + this.socket.writableLength + bytes.length > this.options.maxQueuedBytes) {
      this.hooks.dropped();
      this.destroy();
      return false;
    }
    if (!this.options.chunker) {
      this.send(bytes);
      return true;
    }
    this.pieces.push(...this.options.chunker(bytes));
    this.queued += bytes.length;
    this.pump();
    return true;
  }

  /** Ends the connection in good order after what is queued. */
  end(): void {
    this.stop();
    this.ending = true;
    if (!this.pumping) this.socket.end();
  }

  destroy(): void {
    this.stop();
    this.pieces.length = 0;
    this.socket.destroy();
  }

  /** Stops the heartbeat; the socket is left alone. */
  stop(): void {
    clearInterval(this.beating);
  }

  private send(piece: Buffer): void {
    this.hooks.sent(piece.length);
    this.socket.write(piece);
  }

  /** One piece per turn of the event loop, so that each is a write of its own. */
  private pump(): void {
    if (this.pumping) return;
    this.pumping = true;
    const next = (): void => {
      const piece = this.socket.destroyed || this.silent ? undefined : this.pieces.shift();
      if (!piece) {
        this.pieces.length = 0;
        this.queued = 0;
        this.pumping = false;
        if (this.ending) this.socket.end();
        return;
      }
      this.queued -= piece.length;
      this.send(piece);
      setImmediate(next);
    };
    setImmediate(next);
  }
}
