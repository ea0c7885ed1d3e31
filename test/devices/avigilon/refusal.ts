/** `meta` per HTTP status. Only NOT_FOUND is known (facts A3); the others are invented in its manner. */
const META: Partial<Record<number, { code: number; name: string }>> = {
  400: { code: -4, name: 'INVALID_ARGUMENT' },
  401: { code: -1, name: 'UNAUTHORIZED' },
  403: { code: -2, name: 'FORBIDDEN' },
  404: { code: -25, name: 'NOT_FOUND' },
  413: { code: -31, name: 'TOO_LARGE' },
  415: { code: -32, name: 'UNSUPPORTED_MEDIA' },
  503: { code: -12, name: 'COMMUNICATION_ERROR' },
  504: { code: -13, name: 'TIMEOUT' },
};

/** A request that is answered with an error; `message` is what the client reads. */
export class Refusal extends Error {
  constructor(
    readonly status: number,
    message: string,
  ) {
    super(message);
  }
}

/** The error envelope of facts A3. */
export function errorBody(status: number, message: string): object {
  return { status: 'error', statusCode: status, message, meta: META[status] ?? { code: -99, name: 'INTERNAL' } };
}
