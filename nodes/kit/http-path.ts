/** The request target as it goes on the wire. */

/**
 * Path and query in the form that is both sent and signed: the digest `uri` must be byte-identical to the request line
 * (facts/dahua-hanwha.md A1; facts/dependencies.md 1, defect 10). Bytes that may not stand in a request line are
 * percent-encoded as UTF-8; what is already `%XX` stays, the brackets of vendor syntax (`codes=[All]`) stay literal;
 * a fragment is dropped. Applying it twice changes nothing.
 * @param path `/path?query`; a missing leading slash is added
 */
export function wirePath(path: string): string {
  const [target = ''] = path.split('#', 1);
  const absolute = target.startsWith('/') ? target : `/${target}`;
  return absolute.replace(/%(?![0-9A-Fa-f]{2})|[^!#-;=?-[\]_a-z~]+/g, percentEncode);
}

const percentEncode = (characters: string) =>
  Buffer.from(characters, 'utf8')
    .toString('hex')
    .toUpperCase()
    .replace(/../g, '%$&');
