/** From an event line to the pack's CameraEvent. */
import { createHash } from 'node:crypto';
import type { CameraDevice, CameraEvent } from '../kit/camera-event';
import { eventTime } from './event-time';
import type { EventLine } from './event-line';

/** Alarm events number inputs, not video channels (facts/dahua-hanwha.md A1). */
const INPUT_CODES = new Set(['alarmlocal']);
/** Fields that tell one occurrence from the next; without any of them only the time of receipt does. */
const TELLS_TIME = /"(RealUTC|UTC|LocaleTime|EventUUIDStr)"/;

/** Makes the CameraEvents of one device. */
export class CgiEvents {
  readonly #device: CameraDevice;
  #sequence = 0;

  constructor(device: CameraDevice) {
    this.#device = device;
  }

  /** @param receivedAt ms since 1970 */
  from(line: EventLine, receivedAt: number): CameraEvent {
    const isInput = INPUT_CODES.has(line.code.toLowerCase());
    const data = line.data ?? {};
    const time = eventTime(data, receivedAt);
    return {
      id: this.#id(line, receivedAt),
      source: 'cgi',
      device: { ...this.#device },
      channel: isInput ? null : (line.index ?? null),
      code: line.code,
      action: line.action.toLowerCase(),
      ...(isInput && line.index !== undefined ? { input: line.index } : {}),
      time: new Date(time.at).toISOString(),
      timeSource: time.source,
      receivedAt: new Date(receivedAt).toISOString(),
      data,
      ...(line.raw === undefined ? {} : { raw: line.raw }),
    };
  }

  /** Stable where the device itself tells one occurrence from another; else of this receipt alone. */
  #id(line: EventLine, receivedAt: number): string {
    const { code, action, index, text } = line;
    const occurrence = TELLS_TIME.test(text) ? text : `${receivedAt}.${this.#sequence++}`;
    return createHash('sha1').update(`${this.#device.id}\n${code}\n${action}\n${index ?? ''}\n${occurrence}`).digest('hex');
  }
}
