import type { Payload, PayloadCodec } from '@temporalio/common';

/** A payload as the codec server reads and writes it: bytes in base64. */
interface Written {
  metadata: Record<string, string>;
  data: string;
}

/**
 * Payloads in clear on this side, encrypted on Temporal's: the codec server does both, and this service holds no key.
 *
 * `endpoint` is the server's address, `token` one of the role `service` (`aftersales codec token --role service`).
 * All payloads of one call go in one request. The server's answers of failure quote nothing of what was sent.
 */
export class CodecServer implements PayloadCodec {
  constructor(
    private readonly endpoint: string,
    private readonly token: string,
    private readonly namespace: string,
  ) {}

  encode(payloads: Payload[]): Promise<Payload[]> {
    return this.ask('encode', payloads);
  }

  decode(payloads: Payload[]): Promise<Payload[]> {
    return this.ask('decode', payloads);
  }

  private async ask(what: 'encode' | 'decode', payloads: Payload[]): Promise<Payload[]> {
    if (payloads.length === 0) {
      return [];
    }
    const response = await fetch(`${this.endpoint}/${what}`, {
      method: 'POST',
      headers: {
        authorization: `Bearer ${this.token}`,
        'content-type': 'application/json',
        'x-namespace': this.namespace,
      },
      body: JSON.stringify({ payloads: payloads.map(written) }),
    });
    if (!response.ok) {
      throw new Error(`the codec server does not ${what}: ${response.status} ${response.statusText}`);
    }
    const answer = (await response.json()) as { payloads: Written[] };
    return answer.payloads.map(read);
  }
}

function written({ metadata, data }: Payload): Written {
  const named = Object.entries(metadata ?? {}).map(([name, value]) => [name, base64(value)]);
  return { metadata: Object.fromEntries(named) as Record<string, string>, data: base64(data ?? new Uint8Array()) };
}

function read({ metadata, data }: Written): Payload {
  const named = Object.entries(metadata).map(([name, value]) => [name, Buffer.from(value, 'base64')]);
  return { metadata: Object.fromEntries(named) as Record<string, Uint8Array>, data: Buffer.from(data, 'base64') };
}

function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('base64');
}
