/** Widgets, renderers and command pages of plugins, each in a frame of its own. */

import type { MessageFromPage } from "../api/extensions";
import { type Json, writeJson } from "../document/json";
import { copyNodes } from "../document/snippet";
import {
  type PluginCommandProps,
  type PluginRendererProps,
  type PluginWidgetProps,
  settingsOf,
  useExtensions,
} from "../state/catalog/extensions";
import { insertWorkflow } from "../state/commands/pluginCommands";
import { useEditor } from "../state/session/editor";
import { notify, notifyError } from "../state/session/view";
import { Frame, type PageContent } from "./Frame";
import "./extensions.css";

function PluginWidgetFrame(props: PluginWidgetProps) {
  const { widget, node, place, input, value, onChange, onDone } = props;
  const { id: tab, level } = useEditor();
  const name = writeJson([widget.pack, widget.page, tab, level.join("/"), place, input.name]);
  const content = (): PageContent => {
    const { plugin_widget: _, ...options } = input.options;
    return {
      value,
      input: { node, name: input.name, type: input.type, options },
      settings: settingsOf(widget.pack),
    };
  };
  const onMessage = (message: MessageFromPage) => {
    if (message.type === "change") {
      onChange(message.value);
      if (message.done) onDone();
    } else if (message.type === "tell") notify(message.text);
  };
  return (
    <Frame
      key={name}
      kept={{ name, tab }}
      pack={widget.pack}
      page={widget.page}
      title={`${widget.title}: ${input.name}`}
      height={widget.height}
      content={content}
      value={value}
      onMessage={onMessage}
    />
  );
}

function PluginRendererFrame({ renderer, text, url, type, name }: PluginRendererProps) {
  const content = async (): Promise<PageContent> => {
    const data = text ?? (await bytesOf(url ?? ""));
    return { result: { type, name, data }, settings: settingsOf(renderer.pack) };
  };
  return (
    <Frame
      key={url ?? text}
      kept={{ name: writeJson([renderer.pack, renderer.page, url ?? "", text ?? ""]), tab: null }}
      pack={renderer.pack}
      page={renderer.page}
      title={`${renderer.title}: ${name}`}
      height={renderer.height}
      content={content}
      onMessage={(message) => {
        if (message.type === "tell") notify(message.text);
      }}
    />
  );
}

/** In milliseconds: a film of some gigabytes comes from the same machine or network. */
const RESULT_LIMIT = 300_000;

async function bytesOf(url: string): Promise<ArrayBuffer> {
  const answer = await fetch(url, { signal: AbortSignal.timeout(RESULT_LIMIT) });
  if (!answer.ok) throw new Error(`${answer.status} for ${url}`);
  return await answer.arrayBuffer();
}

function PluginCommandFrame({ command }: PluginCommandProps) {
  const editor = useEditor();
  const content = (): PageContent => {
    const { graph, selected } = editor.tab;
    return {
      selection: selected.length === 0 ? null : copyNodes(graph, selected),
      settings: settingsOf(command.pack),
    };
  };
  const onMessage = (message: MessageFromPage) => {
    if (message.type === "close") useExtensions.setState({ open: null });
    else if (message.type === "tell") notify(message.text);
    else if (message.type === "insert") {
      try {
        insertWorkflow(message.workflow as Json);
      } catch (error) {
        notifyError(error);
      }
    }
  };
  return (
    <Frame
      pack={command.pack}
      page={command.page ?? ""}
      title={command.title}
      height={command.height}
      content={content}
      onMessage={onMessage}
    />
  );
}

/** All components of this folder, for modules that may not import it. */
export const PARTS = {
  Widget: PluginWidgetFrame,
  Renderer: PluginRendererFrame,
  Command: PluginCommandFrame,
};
