/** What an input message asks `avigilon-events` for. */
import { z } from 'zod';
import { CodedError } from '../kit/errors';

export interface SourceRequest {
  /** Stamped on the events, as `event-schedule` does. */
  eventName?: string | undefined;
  /** ms since 1970. */
  from?: number | undefined;
  to?: number | undefined;
}

/** A time without zone would be this machine's, which is rarely where the cameras are. */
const words = 'must be a time in ISO 8601 with its zone, such as 2026-01-20T16:00:00-05:00, or ms since 1970';
const time = z.union([z.iso.datetime({ offset: true }).transform((text) => Date.parse(text)), z.number().int(), z.date().transform((date) => date.getTime())], { error: words }).nullish().transform((at) => at ?? undefined);
const request = z.object({ eventName: z.string({ error: 'must be a text' }).nullish().transform((name) => name ?? undefined), from: time, to: time });

/**
 * `{eventName?, from?, to?}` beside `action`, in the payload or in the message itself.
 * @throws CodedError BAD_MESSAGE
 */
export function readRequest(msg: object): SourceRequest {
  const { payload } = msg as { payload?: unknown };
  const source = typeof payload === 'object' && payload !== null && 'action' in payload ? payload : msg;
  const parsed = request.safeParse(source);
  if (!parsed.success) {
    const issue = parsed.error.issues[0];
    throw new CodedError('BAD_MESSAGE', `${issue?.path.join('.') ?? 'msg'}: ${issue?.message ?? 'not understood'}`);
  }
  const { from, to } = parsed.data;
  if (from !== undefined && to !== undefined && from >= to) throw new CodedError('BAD_MESSAGE', 'from must be before to');
  return parsed.data;
}
