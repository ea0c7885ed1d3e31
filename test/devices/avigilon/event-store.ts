import type { ServerClock } from './clock';
import { EventLog, type EventDraft, type WepEvent } from './event-log';
import type { RecordingServer } from './site';

/** Timers take no more than 24 days. */
const LONGEST_WAIT_MS = 3_600_000;

const dueAt = ({ at, writtenAt }: EventDraft): number => writtenAt ?? at;

/** The logs of all servers of a site, and the events that are still to be written. */
export class EventStore {
  private readonly logs: ReadonlyMap<string, EventLog>;
  /** By due time. */
  private pending: EventDraft[] = [];
  private cancelTimer: () => void = () => undefined;

  /** `onWritten` hears of events as they are written, those of one server at a time. */
  constructor(
    servers: readonly RecordingServer[],
    private readonly clock: ServerClock,
    private readonly serverNow: () => number,
    private readonly onWritten: (events: WepEvent[]) => void,
  ) {
    this.logs = new Map(servers.map((server) => [server.id, new EventLog(server)]));
  }

  log(serverId: string): EventLog | undefined {
    return this.logs.get(serverId);
  }

  /** What is due is written at once, the rest when its time comes. */
  record(drafts: readonly EventDraft[]): void {
    for (const { serverId } of drafts) if (!this.logs.has(serverId)) throw new RangeError(`no server ${serverId}`);
    this.pending = [...this.pending, ...drafts].sort((a, b) => dueAt(a) - dueAt(b));
    this.settle();
  }

  /** Writes what is due by now. */
  settle(): void {
    const now = this.serverNow();
    const first = this.pending.findIndex((draft) => dueAt(draft) > now);
    const due = this.pending.splice(0, first === -1 ? this.pending.length : first);
    this.arm(now);
    if (due.length === 0) return;
    const byServer = new Map<string, EventDraft[]>();
    for (const draft of due) {
      const mine = byServer.get(draft.serverId);
      if (mine) mine.push(draft);
      else byServer.set(draft.serverId, [draft]);
    }
    for (const [serverId, drafts] of byServer) this.onWritten(this.logs.get(serverId)!.write(drafts));
  }

  stop(): void {
    this.cancelTimer();
    this.pending = [];
  }

  private arm(now: number): void {
    this.cancelTimer();
    const next = this.pending[0];
    this.cancelTimer = next ? this.clock.after(Math.min(dueAt(next) - now, LONGEST_WAIT_MS), () => this.settle()) : () => undefined;
  }
}
