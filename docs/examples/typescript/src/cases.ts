import { createHash } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import { setTimeout as pause } from 'node:timers/promises';

import {
  ApplicationFailure,
  type Client,
  isGrpcServiceError,
  WorkflowExecutionAlreadyStartedError,
  WorkflowNotFoundError,
  WorkflowUpdateFailedError,
} from '@temporalio/client';
import { arrayFromPayloads, SearchAttributeType, TypedSearchAttributes } from '@temporalio/common';

import type { CaseView, Outcome, RefundRequest, Refusal, RefundWorkflow } from './contract';

/** The commands that a refund takes, by name. */
export type Commands = RefundWorkflow['updates'];

/** Something was refused, and nothing has changed. `view` is how the case stands, where it was a command. */
export class Refused extends Error {
  constructor(
    readonly refusal: Refusal,
    readonly view?: CaseView,
  ) {
    super(`${refusal.code}: ${refusal.field}: ${refusal.explanation} (${refusal.rule})`);
  }
}

/** gRPC's status codes that are told apart here. */
const FAILED_PRECONDITION = 9;

/** Codes of refusals after which the same command is to be sent again: nothing was decided. */
const IN_ANOTHER_RUN: ReadonlySet<string> = new Set(['between_runs', 'carried_elsewhere']);

const PATIENCE_MS = 30_000;
const SHORTLY_MS = 200;

/** Refunds of one marketplace's orders, on the task queue of its workers. */
export class Refunds {
  constructor(
    private readonly client: Client,
    private readonly taskQueue: string,
  ) {}

  /**
   * Opens a case and gives its id. The same request again is the same case; another one under its key is refused.
   *
   * Whether the request fits the order is found out by the case itself: see `opened` and `outcome`.
   */
  async open(request: RefundRequest): Promise<string> {
    const workflowId = `refund/${request.order_no}/${request.request_key}`;
    try {
      await this.client.workflow.start('Refund', {
        workflowId,
        taskQueue: this.taskQueue,
        args: [request],
        workflowIdConflictPolicy: 'FAIL',
        workflowIdReusePolicy: 'REJECT_DUPLICATE',
        // Optional: what is known beforehand is listed at once, and costs nothing.
        typedSearchAttributes: new TypedSearchAttributes([
          keyword('CaseStage', 'opening'),
          keyword('MerchantId', request.merchant_id),
          keyword('OrderNo', request.order_no),
        ]),
        staticSummary: `Refund ${request.order_no}`,
      });
    } catch (error) {
      if (!(error instanceof WorkflowExecutionAlreadyStartedError)) {
        throw error;
      }
      if (!isDeepStrictEqual(await this.firstRequest(workflowId), plain(request))) {
        const explanation = 'another request has been sent under this key';
        throw new Refused({ code: 'request_key_reused', field: 'request_key', rule: 'section 11', explanation });
      }
    }
    return workflowId;
  }

  /** The case once it is written down, or the reason why it was not opened. */
  async opened(id: string): Promise<CaseView> {
    for (;;) {
      const view = await this.view(id);
      if (view.outcome === 'refused') {
        await this.outcome(id);
      }
      if (view.stage !== 'opening') {
        return view;
      }
      await pause(SHORTLY_MS);
    }
  }

  /** The case as it stands. */
  view(id: string): Promise<CaseView> {
    return this.client.withDeadline(Date.now() + PATIENCE_MS, () =>
      this.client.workflow.getHandle(id).query<CaseView>('view'),
    );
  }

  /**
   * Sends a command and gives the new view, once that is written down. The same command again is the same command.
   *
   * Throws `Refused` where the case does not obey; any other error is worth sending the same again.
   */
  async act<Name extends keyof Commands & string>(id: string, name: Name, command: Commands[Name]): Promise<CaseView> {
    const handle = this.client.workflow.getHandle(id);
    // Another body under the same key must reach the case, which refuses it: so the id is made of both.
    const body = createHash('sha256').update(`${name} ${JSON.stringify(command)}`).digest('hex').slice(0, 16);
    const updateId = `${command.key}.${body}`;
    try {
      return await this.client.withDeadline(Date.now() + PATIENCE_MS, async () => {
        for (;;) {
          try {
            const args: [Commands[Name]] = [{ ...command, case: id }];
            return await handle.executeUpdate<CaseView, [Commands[Name]]>(name, { updateId, args });
          } catch (error) {
            // The case's last task did not come through, as on a busy worker: it is done again. Or the case is just
            // going over to another run, which takes the command.
            const lost = isGrpcServiceError(error) && error.code === FAILED_PRECONDITION;
            const refusal = error instanceof WorkflowUpdateFailedError ? refused(error)?.refusal : undefined;
            if (!lost && !(refusal && IN_ANOTHER_RUN.has(refusal.code))) {
              throw error;
            }
            await pause(SHORTLY_MS);
          }
        }
      });
    } catch (error) {
      if (error instanceof WorkflowUpdateFailedError) {
        throw refused(error) ?? error;
      }
      if (!(error instanceof WorkflowNotFoundError)) {
        throw error;
      }
    }
    return this.afterTheEnd(id, name, updateId);
  }

  /** Waits for the end of the case, be it days, and gives its outcome; `Refused` where the request did not fit. */
  async outcome(id: string): Promise<Outcome> {
    const outcome = (await this.client.workflow.getHandle(id).result()) as Outcome;
    if (outcome.refusal) {
      throw new Refused(outcome.refusal);
    }
    return outcome;
  }

  /** The case has ended: a command that it obeyed before is answered again, any other comes too late. */
  private async afterTheEnd(id: string, name: string, updateId: string): Promise<CaseView> {
    try {
      return await this.client.workflow.getHandle(id).getUpdateHandle<CaseView>(updateId).result();
    } catch (error) {
      if (!(error instanceof WorkflowNotFoundError)) {
        throw error;
      }
    }
    const view = await this.view(id);
    const explanation = `${name} comes too late: the case has ended (${view.outcome})`;
    throw new Refused({ code: 'not_open', field: 'command', rule: 'section 11', explanation }, view);
  }

  /** The request that the case was opened with. */
  private async firstRequest(id: string): Promise<unknown> {
    const { history } = await this.client.workflowService.getWorkflowExecutionHistory({
      namespace: this.client.options.namespace,
      execution: { workflowId: id },
      maximumPageSize: 1,
    });
    const input = history?.events?.[0]?.workflowExecutionStartedEventAttributes?.input?.payloads ?? [];
    const { payloadConverter, payloadCodecs } = this.client.options.loadedDataConverter;
    let payloads = input;
    for (const codec of payloadCodecs.toReversed()) {
      payloads = await codec.decode(payloads);
    }
    return arrayFromPayloads(payloadConverter, payloads)?.[0];
  }
}

/** What an update's failure says: `Refused.<code>`, with the refusal and, unless a stranger asks, the case's view. */
function refused({ cause }: WorkflowUpdateFailedError): Refused | undefined {
  if (cause instanceof ApplicationFailure && cause.type?.startsWith('Refused.')) {
    const [refusal, view] = cause.details as [Refusal, CaseView?];
    return new Refused(refusal, view);
  }
  return undefined;
}

function keyword(name: string, value: string) {
  return { key: { name, type: SearchAttributeType.KEYWORD }, value } as const;
}

function plain(request: RefundRequest): unknown {
  return JSON.parse(JSON.stringify(request));
}
