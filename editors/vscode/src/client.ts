/** The language client: vscode-languageclient with fimble's options, quiet where we speak ourselves. */

import {
  CloseAction,
  ErrorAction,
  LanguageClient,
  RevealOutputChannelOn,
  type LanguageClientOptions,
} from 'vscode-languageclient/node';
import type * as vscode from 'vscode';
import type { Provide } from './completion.js';
import { STATUS_METHOD, readStatus, type Status } from './protocol.js';
import type { Connection } from './server/launch.js';
import { explicitSettings } from './settings.js';

const SCHEMES = ['file', 'untitled', 'vscode-notebook-cell', 'vscode-vfs', 'vscode-remote'];

/** Whether the server hears of this document. */
export function isServed(document: vscode.TextDocument): boolean {
  return SCHEMES.includes(document.uri.scheme);
}

/** Every failure reaches the user through session.ts, once; the base class would add dialogs of its own. */
class QuietClient extends LanguageClient {
  override error(message: string, data?: unknown): void {
    super.error(message, data, false);
  }
}

export interface ClientHooks {
  readonly onStatus: (status: Status) => void;
  /** The server has just been told the settings it asked for. */
  readonly onSettingsTold: () => void;
  readonly provide: Provide;
}

/** A client for one life of a server. Inline completion is vscode-languageclient's own feature: stable API only. */
export function createClient(
  connection: Connection,
  output: vscode.LogOutputChannel,
  hooks: ClientHooks,
): LanguageClient {
  const options: LanguageClientOptions = {
    documentSelector: SCHEMES.map((scheme) => ({ scheme })),
    outputChannel: output,
    revealOutputChannelOn: RevealOutputChannelOn.Never,
    initializationFailedHandler: () => false,
    initializationOptions: () => ({ ownCommands: true, settings: explicitSettings() }),
    errorHandler: {
      error: () => ({ action: ErrorAction.Continue, handled: true }),
      // A new life gets a new client: session.ts decides when.
      closed: () => ({ action: CloseAction.DoNotRestart, handled: true }),
    },
    middleware: {
      provideInlineCompletionItems: hooks.provide,
      workspace: {
        configuration: (params, token, next) => {
          if (params.items.every((item) => item.section === 'fimble')) {
            setImmediate(hooks.onSettingsTold);
            return params.items.map((item) =>
              explicitSettings(item.scopeUri == null ? undefined : client.protocol2CodeConverter.asUri(item.scopeUri)),
            );
          }
          return next(params, token);
        },
        // The server asks for what it wants to know; a pushed copy would hold defaults as if the user had set them.
        didChangeConfiguration: (_sections, next) => next(undefined),
      },
    },
  };
  const client: LanguageClient = new QuietClient(
    'fimble',
    'fimble',
    () => Promise.resolve({ reader: connection.reader, writer: connection.writer, detached: true }),
    options,
  );
  client.onNotification(STATUS_METHOD, (params: unknown) => {
    const status = readStatus(params);
    if (status !== undefined) {
      hooks.onStatus(status);
    }
  });
  return client;
}
