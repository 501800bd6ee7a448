/**
 * The parts of the editor that plugins declare: widgets for inputs, renderers for results, commands
 * and settings. Plugins' pages run in separate frames (`extensions/`), whose components are set
 * here, as this package may not import them.
 */
import type { ComponentType } from "react";
import { create } from "zustand";
import { type Catalog, catalogOf } from "../../api/catalog";
import type {
  Declaration,
  DeclaredCommand,
  DeclaredRenderer,
  DeclaredSetting,
  DeclaredWidget,
} from "../../api/extensions";
import type { InputSchema } from "../../api/types";
import { client } from "../session/server";
import { useSettings } from "../session/settings";
import { notify } from "../session/view";

interface PluginWidget extends DeclaredWidget {
  pack: string;
}

export interface PluginRenderer extends DeclaredRenderer {
  pack: string;
}

export interface PluginCommand extends DeclaredCommand {
  pack: string;
}

export interface PluginWidgetProps {
  widget: PluginWidget;
  /** The class of the node. */
  node: string;
  /** The node in its document, and where the field is shown. */
  place: string;
  input: InputSchema;
  value: unknown;
  onChange: (value: unknown) => void;
  onDone: () => void;
}

export interface PluginRendererProps {
  renderer: PluginRenderer;
  /** A text, or the URL of a file. */
  text?: string;
  url?: string;
  type: string;
  name: string;
}

export interface PluginCommandProps {
  command: PluginCommand;
}

interface Extensions {
  declared: readonly Declaration[];
  /** Set by `extensions/` once a plugin declares something. */
  Widget: ComponentType<PluginWidgetProps> | null;
  Renderer: ComponentType<PluginRendererProps> | null;
  Command: ComponentType<PluginCommandProps> | null;
  /** The command whose page is open. */
  open: PluginCommand | null;
}

export const useExtensions = create<Extensions>(() => ({
  declared: [],
  Widget: null,
  Renderer: null,
  Command: null,
  open: null,
}));

let lastReport = "";

/** Loads the plugins' declarations from the server; a notice reports invalid ones. */
export async function loadExtensions(): Promise<void> {
  const found = await client.extensions();
  const declared = found.filter((each): each is Declaration => !("error" in each));
  const errors = found.flatMap((each) => ("error" in each ? [each.error] : [])).join("; ");
  // Declarations are read again after each upload; the same errors are reported only once.
  if (errors !== "" && errors !== lastReport) notify(errors);
  lastReport = errors;
  useExtensions.setState({ declared });
}

/**
 * The catalog with plugins' widgets added to the inputs they are for, as `options.plugin_widget`.
 */
export function withPluginWidgets(catalog: Catalog, declared: readonly Declaration[]): Catalog {
  const widgets = declared.flatMap(({ pack, widgets }) =>
    widgets.map((each): PluginWidget => ({ ...each, pack })),
  );
  if (widgets.length === 0) return catalog;
  return catalogOf(
    Object.entries(catalog).map(([name, schema]) => {
      const inputs = schema.inputs.map((input) => {
        const widget = widgets.find(
          (each) =>
            each.types.includes(input.type) ||
            each.inputs.some((to) => to.node === name && to.input === input.name),
        );
        return widget === undefined
          ? input
          : { ...input, options: { ...input.options, plugin_widget: widget } };
      });
      const isChanged = inputs.some((each, index) => each !== schema.inputs[index]);
      return [name, isChanged ? { ...schema, inputs } : schema] as const;
    }),
  );
}

/** The plugin's widget of an input, if any. */
export function pluginWidgetOf({ options }: InputSchema): PluginWidget | null {
  return (options.plugin_widget as PluginWidget | undefined) ?? null;
}

/** The renderers for a media type, in the plugins' order. */
export function renderersFor(type: string, declared: readonly Declaration[]): PluginRenderer[] {
  return declared.flatMap(({ pack, renderers }) =>
    renderers.filter((each) => each.types.includes(type)).map((each) => ({ ...each, pack })),
  );
}

/** The key of a plugin's setting among the user's settings. */
export function settingKey(pack: string, { id }: Pick<DeclaredSetting, "id">): string {
  return `extension.${pack}.${id}`;
}

/** The values of a plugin's settings, by their ids. */
export function settingsOf(pack: string): Record<string, unknown> {
  const { values } = useSettings.getState();
  const found = useExtensions.getState().declared.find((each) => each.pack === pack);
  return Object.fromEntries(
    (found?.settings ?? []).map((each) => {
      const kept = values[settingKey(pack, each)];
      return [each.id, typeof kept === typeof each.standard ? kept : each.standard];
    }),
  );
}
