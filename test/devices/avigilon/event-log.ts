import type { RecordingServer } from './site';
import { closes, opens } from './topics';

/** An event before the server has numbered and linked it. */
export interface EventDraft {
  serverId: string;
  type: string;
  /** When it happened, epoch ms: its `timestamp`. */
  at: number;
  /** When the server writes it, epoch ms: from then on searches find it and webhooks get it. Default: `at`. */
  writtenAt?: number;
  /** The start that this event ends. Must be written no later. */
  startedBy?: EventDraft;
  fields?: Record<string, unknown>;
}

/** An event as facts A4 has it. */
export interface WepEvent {
  thisId: string;
  /** Of a start `"-1"` until its end is written. */
  linkedEventId?: string;
  timestamp: string;
  type: string;
  cameraId?: string;
  originatingServerId: string;
  [field: string]: unknown;
}

export interface LogEntry {
  readonly at: number;
  /** Order of writing. */
  readonly turn: number;
  readonly event: WepEvent;
}

export interface PageRequest {
  /** Epoch ms, included; may have a fraction. */
  from: number;
  /** Epoch ms, excluded. */
  to: number;
  wants: (event: WepEvent) => boolean;
  limit: number;
  /** Only what comes after this entry. */
  after?: LogEntry | undefined;
}

export interface Page {
  entries: LogEntry[];
  /** Whether a further event matches. */
  more: boolean;
}

/** The events of one server by time, within a millisecond in the order of writing. Finds its place by bisection. */
export class EventLog {
  /** The number of the next event; set it back to simulate a server that numbers anew. */
  nextId = 32_000;
  private readonly entries: LogEntry[] = [];
  private readonly written = new WeakMap<EventDraft, WepEvent>();
  private readonly active = new Set<LogEntry>();
  private readonly entryOf = new WeakMap<WepEvent, LogEntry>();
  private turn = 0;

  constructor(private readonly server: RecordingServer) {}

  get size(): number {
    return this.entries.length;
  }

  /** Adds events in the order given; late ones go where their time is. */
  write(drafts: readonly EventDraft[]): WepEvent[] {
    let newest = this.entries.at(-1)?.at ?? -Infinity;
    let late = 0;
    const events = drafts.map((draft) => {
      const event = this.numbered(draft);
      const entry = { at: draft.at, turn: (this.turn += 1), event };
      if (entry.at < newest) late += 1;
      else newest = entry.at;
      this.entries.push(entry);
      this.entryOf.set(event, entry);
      if (opens(draft.type)) this.active.add(entry);
      return event;
    });
    if (late > 0) this.entries.sort((a, b) => a.at - b.at || a.turn - b.turn);
    return events;
  }

  page({ from, to, wants, limit, after }: PageRequest): Page {
    const entries: LogEntry[] = [];
    for (let index = Math.max(this.place(from, 0), after ? this.place(after.at, after.turn + 1) : 0); index < this.entries.length; index += 1) {
      const entry = this.entries[index]!;
      if (entry.at >= to) break;
      if (!wants(entry.event)) continue;
      if (entries.length === limit) return { entries, more: true };
      entries.push(entry);
    }
    return { entries, more: false };
  }

  /** The entry after which a page must begin to repeat the last `count` matches up to and with `until`; undefined: from the beginning. */
  back({ from, wants }: Pick<PageRequest, 'from' | 'wants'>, until: LogEntry, count: number): LogEntry | undefined {
    const lowest = this.place(from, 0);
    let left = count;
    for (let index = this.place(until.at, until.turn); index >= lowest; index -= 1) {
      const entry = this.entries[index]!;
      if (!wants(entry.event)) continue;
      if (left === 0) return entry;
      left -= 1;
    }
    return undefined;
  }

  /** Events that began and have not ended. */
  running(wants: (event: WepEvent) => boolean, limit: number): WepEvent[] {
    const all = [...this.active].filter(({ event }) => wants(event)).sort((a, b) => a.at - b.at || a.turn - b.turn);
    return all.slice(0, limit).map(({ event }) => event);
  }

  private numbered(draft: EventDraft): WepEvent {
    const thisId = String(this.nextId++);
    const start = draft.startedBy && this.written.get(draft.startedBy);
    const event: WepEvent = {
      ...draft.fields,
      thisId,
      ...(opens(draft.type) || closes(draft.type) ? { linkedEventId: start?.thisId ?? '-1' } : {}),
      timestamp: new Date(draft.at).toISOString(),
      originatingEventId: thisId,
      originatingServerName: this.server.name,
      type: draft.type,
      originatingServerId: this.server.id,
    };
    this.written.set(draft, event);
    const started = start && this.entryOf.get(start);
    if (started) {
      started.event.linkedEventId = thisId;
      this.active.delete(started);
    }
    return event;
  }

  /** The first index whose entry is not before (at, turn). */
  private place(at: number, turn: number): number {
    let low = 0;
    let high = this.entries.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const entry = this.entries[middle]!;
      if (entry.at < at || (entry.at === at && entry.turn < turn)) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
