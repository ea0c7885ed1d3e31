import type { EventDraft, EventLog } from './event-log';
import type { EventStore } from './event-store';
import type { ArmedFault, Fault, Faults } from './faults';
import type { Sessions } from './sessions';
import type { WebEndpoint } from './web-endpoint';
import type { WebhookDelivery } from './webhook-delivery';

interface ControlledParts {
  faults: Faults;
  sessions: Sessions;
  store: EventStore;
  endpoint: WebEndpoint;
  delivery: WebhookDelivery;
  setClockOffset(ms: number): void;
  powerOn(): Promise<void>;
  powerOff(): Promise<void>;
  restart(downMs: number): Promise<void>;
}

/** What a test does to a running server. */
export class AvigilonControls {
  constructor(private readonly parts: ControlledParts) {}

  /** The next fitting request is hit; see Fault for which, how often and by what. */
  fault(fault: Fault): ArmedFault {
    return this.parts.faults.arm(fault);
  }

  clearFaults(): void {
    this.parts.faults.clear();
  }

  /** Events of the past are written and pushed at once, others when their time comes. */
  record(events: readonly EventDraft[]): void {
    this.parts.store.record(events);
  }

  /** Writes what is due by the server's clock; a search does so too. */
  settle(): void {
    this.parts.store.settle();
  }

  /** The log of a server of the site. */
  log(serverId: string): EventLog {
    const log = this.parts.store.log(serverId);
    if (!log) throw new RangeError(`no server ${serverId}`);
    return log;
  }

  /** The server's clock is `ms` ahead of the world's; 0 sets it right. */
  setClockOffset(ms: number): void {
    this.parts.setClockOffset(ms);
  }

  /** Every session ends as if it had been idle. */
  expireSessions(): void {
    this.parts.sessions.endAll();
  }

  setPassword(user: string, password: string): void {
    this.parts.endpoint.users.set(user, password);
  }

  setHealth(health: WebEndpoint['health']): void {
    this.parts.endpoint.health = health;
  }

  /** HELLO to every webhook: events may have been missed. */
  hello(): void {
    this.parts.delivery.hello();
  }

  /** HEARTBEAT to every webhook. */
  beat(): void {
    this.parts.delivery.beat();
  }

  /** Connections are reset and refused; sessions, continuation tokens and undelivered pushes are gone. Events are still written. */
  powerOff(): Promise<void> {
    return this.parts.powerOff();
  }

  /** Listens again, on the same port. Webhooks are still there. */
  powerOn(): Promise<void> {
    return this.parts.powerOn();
  }

  /** Off, `downMs` later on, then HELLO to every webhook. */
  restart(downMs = 0): Promise<void> {
    return this.parts.restart(downMs);
  }
}
