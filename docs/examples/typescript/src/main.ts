import { readFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';

import { Client, Connection } from '@temporalio/client';
import type { PayloadCodec } from '@temporalio/common';

import { Refunds, Refused } from './cases';
import { CodecServer } from './codec_server';
import type { CaseView, RefundRequest } from './contract';
import { KeyRing } from './key_ring';

const USAGE = 'node build/main.js --order ORDER --merchant MERCHANT --buyer BUYER --line LINE --amount FEN --key KEY';

/** Plays one refund from its opening to its outcome, and prints what came of each step. */
async function main(): Promise<void> {
  const given = arguments_();
  const namespace = process.env['TEMPORAL_NAMESPACE'] ?? 'default';
  const connection = await Connection.connect({ address: process.env['TEMPORAL_ADDRESS'] ?? 'localhost:7233' });
  try {
    const client = new Client({ connection, namespace, dataConverter: { payloadCodecs: [await codec(namespace)] } });
    const refunds = new Refunds(client, process.env['AFTERSALES_TASK_QUEUE'] ?? 'aftersales');
    console.log(JSON.stringify(await played(refunds, given), undefined, 2));
  } finally {
    await connection.close();
  }
}

async function played(refunds: Refunds, given: Given) {
  const request: RefundRequest = {
    request_key: given.key,
    order_no: given.order,
    merchant_id: given.merchant,
    buyer_id: given.buyer,
    lines: [{ line: given.line, quantity: 1, amount: given.amount }],
    reason: 'no_longer_wanted',
  };
  const approve = { key: `${given.key}-approve`, by: { role: 'merchant', id: given.merchant } } as const;

  const id = await refunds.open(request);
  const opened = await refunds.opened(id);
  // The same request is the same case; another one under its key is refused.
  const openedAgain = await refunds.open(request);
  const reused = await refusal(() => refunds.open({ ...request, reason: 'other' }));
  // Another merchant may not decide.
  const stranger = { key: `${given.key}-stranger`, by: { role: 'merchant', id: 'm-stranger' } } as const;
  const strange = await refusal(() => refunds.act(id, 'approve', stranger));

  const approved = await refunds.act(id, 'approve', approve);
  const outcome = await refunds.outcome(id);
  // Sent again, even after the end, it is the same command with the same answer; a new one comes too late.
  const approvedAgain = await refunds.act(id, 'approve', approve);
  const late = await refusal(() => refunds.act(id, 'withdraw', { ...approve, by: { role: 'buyer', id: given.buyer } }));

  return {
    id,
    opened: told(opened),
    opened_again: openedAgain,
    key_reused: reused,
    stranger: strange,
    approved: told(approved),
    approved_again: told(approvedAgain),
    late,
    view: await refunds.view(id),
    outcome,
  };
}

function told(view: CaseView) {
  return { stage: view.stage, due: view.due, commands: view.commands.map(({ name }) => name) };
}

/** What is said against an action that must be refused. */
async function refusal(action: () => Promise<unknown>) {
  try {
    await action();
  } catch (error) {
    if (error instanceof Refused) {
      return { ...error.refusal, stage: error.view?.stage };
    }
    throw error;
  }
  throw new Error('this should have been refused');
}

/** By the codec server where CODEC_ENDPOINT names one, else by a key ring. */
async function codec(namespace: string): Promise<PayloadCodec> {
  const { CODEC_ENDPOINT, CODEC_TOKEN, AFTERSALES_KEYS, AFTERSALES_KEY_FILE } = process.env;
  if (CODEC_ENDPOINT && CODEC_TOKEN) {
    return new CodecServer(CODEC_ENDPOINT, CODEC_TOKEN, namespace);
  }
  if (AFTERSALES_KEYS ?? AFTERSALES_KEY_FILE) {
    return new KeyRing(AFTERSALES_KEYS ?? (await readFile(AFTERSALES_KEY_FILE ?? '', 'utf8')));
  }
  throw new Error('set CODEC_ENDPOINT and CODEC_TOKEN, or AFTERSALES_KEYS or AFTERSALES_KEY_FILE');
}

interface Given {
  order: string;
  merchant: string;
  buyer: string;
  line: string;
  amount: number;
  key: string;
}

function arguments_(): Given {
  const text = { type: 'string' } as const;
  const options = { order: text, merchant: text, buyer: text, line: text, amount: text, key: text };
  const { order, merchant, buyer, line = '1', amount, key } = parseArgs({ options }).values;
  if (!order || !merchant || !buyer || !amount || !key) {
    throw new Error(USAGE);
  }
  return { order, merchant, buyer, line, amount: Number(amount), key };
}

main().catch((error: unknown) => {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
});
