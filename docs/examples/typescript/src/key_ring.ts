import { createCipheriv, createDecipheriv, createHmac, randomBytes } from 'node:crypto';
import { deflateSync, inflateSync } from 'node:zlib';

import type { Payload, PayloadCodec } from '@temporalio/common';
import { temporal } from '@temporalio/proto';

const { Payload: Message } = temporal.api.common.v1;

const ENCODING = 'binary/aes-256-gcm';
const KEY_ID = 'encryption-key-id';
const CASE = 'encryption-case';
const PLAIN = 0;
const DEFLATED = 1;
const WORTH_DEFLATING = 256;
const MOST_INFLATED = 16 * 1024 * 1024;
const [SALT, NONCE, TAG] = [16, 12, 16];

/**
 * Seals and opens payloads itself, as workers do: AES-256-GCM under a key of each message's own.
 *
 * `ring` is what AFTERSALES_KEYS holds: `id:base64` with commas or line ends between, the current key first.
 */
export class KeyRing implements PayloadCodec {
  private readonly keys: ReadonlyMap<string, Buffer>;
  private readonly current: string;

  constructor(ring: string) {
    const words = ring.split(/[,\n]/).map((word) => word.trim());
    const keys = words.filter((word) => word !== '' && !word.startsWith('#')).map(key);
    const [first] = keys;
    if (first === undefined) {
      throw new Error('a key ring must hold at least one key');
    }
    this.keys = new Map(keys);
    this.current = first[0];
  }

  async encode(payloads: Payload[]): Promise<Payload[]> {
    return payloads.map((payload) => (isSealed(payload) ? payload : this.sealed(payload)));
  }

  async decode(payloads: Payload[]): Promise<Payload[]> {
    return payloads.map((payload) => (isSealed(payload) ? this.opened(payload) : payload));
  }

  private sealed(payload: Payload): Payload {
    const plain = Message.encode(payload).finish();
    const deflated = plain.length >= WORTH_DEFLATING ? deflateSync(plain) : plain;
    const smaller = deflated.length < plain.length;
    const marked = Buffer.concat([Buffer.of(smaller ? DEFLATED : PLAIN), smaller ? deflated : plain]);
    const [salt, nonce] = [randomBytes(SALT), randomBytes(NONCE)];
    const cipher = createCipheriv('aes-256-gcm', derived(this.named(this.current), salt), nonce);
    cipher.setAAD(context(this.current));
    return {
      metadata: { encoding: Buffer.from(ENCODING), [KEY_ID]: Buffer.from(this.current) },
      data: Buffer.concat([salt, nonce, cipher.update(marked), cipher.final(), cipher.getAuthTag()]),
    };
  }

  private opened(payload: Payload): Payload {
    const id = text(payload.metadata?.[KEY_ID]);
    const data = Buffer.from(payload.data ?? []);
    const [salt, nonce] = [data.subarray(0, SALT), data.subarray(SALT, SALT + NONCE)];
    const decipher = createDecipheriv('aes-256-gcm', derived(this.named(id), salt), nonce, { authTagLength: TAG });
    decipher.setAAD(context(id, payload.metadata?.[CASE]));
    decipher.setAuthTag(data.subarray(-TAG));
    const marked = Buffer.concat([decipher.update(data.subarray(SALT + NONCE, -TAG)), decipher.final()]);
    const plain = marked.subarray(1);
    return Message.decode(marked[0] === DEFLATED ? inflateSync(plain, { maxOutputLength: MOST_INFLATED }) : plain);
  }

  private named(id: string): Buffer {
    const secret = this.keys.get(id);
    if (secret === undefined) {
      throw new Error(`there is no key ${JSON.stringify(id)} in the key ring`);
    }
    return secret;
  }
}

function key(word: string): [string, Buffer] {
  const [id, encoded] = word.split(':');
  const secret = Buffer.from(encoded ?? '', 'base64');
  if (!id || secret.length !== 32) {
    throw new Error('a key of the key ring must be `id:base64` of 32 bytes');
  }
  return [id, secret];
}

/** HKDF-Expand (RFC 5869) of one block: the ring's key is random already, so that there is nothing to extract. */
function derived(secret: Buffer, salt: Buffer): Buffer {
  return createHmac('sha256', secret).update('aftersales message key').update(salt).update(Buffer.of(1)).digest();
}

/** Workers bind what they seal to its case. This codec is not told whose a payload is: a command names its case. */
function context(keyId: string, boundTo?: Uint8Array | null): Buffer {
  return Buffer.from(`temporal payload ${keyId}${boundTo ? ` of ${text(boundTo)}` : ''}`);
}

function isSealed(payload: Payload): boolean {
  return text(payload.metadata?.['encoding']) === ENCODING;
}

function text(bytes: Uint8Array | null | undefined): string {
  return Buffer.from(bytes ?? []).toString();
}
