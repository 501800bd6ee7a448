/**
 * The batch dialog: the axes that vary and their values; shows the number of runs before the start.
 */

import { Plus, Trash2 } from "lucide-react";
import { useState } from "react";
import type { InputSchema } from "../api/types";
import { type Axis, countRuns, InvalidValuesError, readValues, seedsFrom } from "../document/batch";
import type { GraphNode } from "../document/graph";
import type { Json } from "../document/json";
import { asJsonNumber, randomBits } from "../state/fields/rolling";
import { inputsOf } from "../state/nodes/inputs";
import { titleOf } from "../state/nodes/naming";
import { isWidget } from "../state/nodes/widgets";
import { expectedOf } from "../state/outcomes/queue";
import { useRuns } from "../state/outcomes/runs";
import { MAX_RUNS, runBatch } from "../state/runs/batch";
import { type Editor, useEditor } from "../state/session/editor";
import { schemaOf } from "../state/session/studio";
import { errorText, notifyError, useView } from "../state/session/view";
import { Select } from "../widgets/Select";
import { plainDigits } from "../words/digits";
import { t } from "../words/words";
import { Dialog } from "./Dialog";
import "./batch.css";
import { spanOf } from "../words/format";

interface Widget {
  id: string;
  node: GraphNode;
  title: string;
  input: InputSchema;
}

interface Row {
  key: string;
  widget: string;
  typed: string;
  count: number;
  order: "random" | "increment";
}

type Values = { values: Json[] } | { wrong: string };
const SEEDS = ["seed", "noise_seed"];

function widgetsOf(editor: Editor): Widget[] {
  const { graph } = editor.tab;
  return graph.order.flatMap((key) => {
    const node = graph.nodes[key];
    const schema = node === undefined ? undefined : schemaOf(node.type);
    if (node === undefined || schema === undefined) return [];
    const linked = (name: string) =>
      node.inputs.some((each) => each.name === name && each.link !== null);
    return inputsOf(schema, node)
      .filter((input) => isWidget(input) && !linked(input.name))
      .map((input) => ({
        id: `${key}/${input.name}`,
        node,
        title: titleOf(node, schema),
        input,
      }));
  });
}

function firstRow(widgets: readonly Widget[], taken: readonly Row[]): Row {
  const free = widgets.filter((each) => taken.every((row) => row.widget !== each.id));
  const chosen =
    free.find(({ input }) => SEEDS.includes(input.name)) ??
    free.find(({ input }) => ["cfg", "steps", "sampler_name"].includes(input.name)) ??
    free[0];
  return {
    key: crypto.randomUUID(),
    widget: chosen?.id ?? "",
    typed: "",
    count: 4,
    order: "random",
  };
}

function isSeed({ input }: Widget): boolean {
  return SEEDS.includes(input.name);
}

/** The integer in a seed field, whose value may be a fraction, infinite or not a number. */
function wholePart(value: unknown): number {
  const number = Number(value ?? 0);
  return Number.isFinite(number) ? Math.trunc(number) : 0;
}

function valuesOf(row: Row, widget: Widget | undefined): Values {
  if (widget === undefined) return { wrong: t("Choose an input to vary.") };
  const { input, node } = widget;
  try {
    if (isSeed(widget) && row.typed.trim() === "") {
      const now = node.values[input.name];
      const first = typeof now === "bigint" ? now : BigInt(wholePart(now));
      return { values: seedsFrom(row.count, row.order, first, randomBits).map(asJsonNumber) };
    }
    const kinds = { INT: "whole", FLOAT: "number", BOOLEAN: "yes" } as const;
    const kind = input.type in kinds ? kinds[input.type as keyof typeof kinds] : "text";
    const values = readValues(kind === "text" ? row.typed : plainDigits(row.typed), kind);
    const unknown =
      input.choices === null ? undefined : values.find((each) => !input.choices?.includes(each));
    if (unknown !== undefined) {
      return {
        wrong: t("{{value}} is not a choice of {{name}}.", {
          value: String(unknown),
          name: input.name,
        }),
      };
    }
    const single = values.filter(
      (each, index) => values.findIndex((other) => String(other) === String(each)) === index,
    );
    return single.length === 0 ? { wrong: t("Enter at least one value.") } : { values: single };
  } catch (error) {
    if (error instanceof InvalidValuesError) return { wrong: errorText(error) };
    throw error;
  }
}

export function Batch() {
  const editor = useEditor();
  const [widgets] = useState(() => widgetsOf(editor));
  const [rows, setRows] = useState<readonly Row[]>(() => [firstRow(widgets, [])]);
  const [queued, setQueued] = useState<number | null>(null);
  const read = rows.map((row) =>
    valuesOf(
      row,
      widgets.find((each) => each.id === row.widget),
    ),
  );
  const axes = axesOf(rows, read, widgets);
  const count = axes === null ? 0 : countRuns(axes);
  const close = () => useView.setState({ sheet: null });
  const go = () => {
    if (axes === null) return;
    setQueued(0);
    runBatch(editor, axes, setQueued).then(close, (error: unknown) => {
      setQueued(null);
      notifyError(error);
    });
  };
  return (
    <Dialog
      title={t("Run a batch")}
      onClose={close}
      actions={
        <>
          <span className="runs" role="status">
            {queued === null ? (
              <Runs count={count} />
            ) : (
              t("{{queued}} of {{count}} queued", { queued, count })
            )}
          </span>
          <button
            type="button"
            className="primary"
            disabled={count === 0 || count > MAX_RUNS || queued !== null}
            onClick={go}
          >
            {t("Queue {{count}} runs", { count })}
          </button>
        </>
      }
    >
      <Rows rows={rows} widgets={widgets} read={read} onChange={setRows} />
    </Dialog>
  );
}

interface RowsProps {
  rows: readonly Row[];
  widgets: readonly Widget[];
  read: readonly Values[];
  onChange: (rows: readonly Row[]) => void;
}

function Rows({ rows, widgets, read, onChange }: RowsProps) {
  const change = (key: string, part: Partial<Row>) =>
    onChange(rows.map((row) => (row.key === key ? { ...row, ...part } : row)));
  return (
    <div className="batch">
      {rows.map((row, index) => (
        <AxisRow
          key={row.key}
          row={row}
          index={index}
          widgets={widgets}
          read={read[index]}
          onChange={(part) => change(row.key, part)}
          onRemove={
            rows.length > 1 ? () => onChange(rows.filter((each) => each.key !== row.key)) : null
          }
        />
      ))}
      <button
        type="button"
        className="chip"
        onClick={() => onChange([...rows, firstRow(widgets, rows)])}
      >
        <Plus size={12} aria-hidden />
        {t("Vary another input")}
      </button>
    </div>
  );
}

function axesOf(
  rows: readonly Row[],
  read: readonly Values[],
  widgets: readonly Widget[],
): Axis[] | null {
  const axes = rows.flatMap((row, index): Axis[] => {
    const widget = widgets.find((each) => each.id === row.widget);
    const found = read[index];
    if (widget === undefined || found === undefined || "wrong" in found) return [];
    return [{ node: widget.node.key, name: widget.input.name, values: found.values }];
  });
  return axes.length === rows.length ? axes : null;
}

function Runs({ count }: { count: number }) {
  const editor = useEditor();
  const past = useRuns((state) => state.past);
  if (count > MAX_RUNS) return t("{{count}} runs are too many; the maximum is 1000.", { count });
  const workflow = editor.tab.workflow.saved.id;
  const id = typeof workflow === "string" ? workflow : "";
  const each = expectedOf({ id: "", status: "pending", workflow_id: id }, past);
  if (each === null || count === 0) return t("{{count}} runs", { count });
  return t("{{count}} runs, about {{time}}", { count, time: spanOf((each * count) / 1000) });
}

interface AxisProps {
  row: Row;
  index: number;
  widgets: readonly Widget[];
  read: Values | undefined;
  onChange: (part: Partial<Row>) => void;
  onRemove: (() => void) | null;
}

function AxisRow({ row, index, widgets, read, onChange, onRemove }: AxisProps) {
  const widget = widgets.find((each) => each.id === row.widget);
  const names = [t("Across"), t("Down")];
  return (
    <fieldset>
      <legend>{names[index] ?? t("And")}</legend>
      <div className="line">
        <Select
          aria-label={t("Input to vary")}
          value={row.widget}
          options={widgets.map(({ id, title, input }) => [id, `${title} · ${input.name}`])}
          onChoose={(id) => onChange({ widget: id, typed: "" })}
        />
        {onRemove !== null && (
          <button
            type="button"
            className="ghost"
            aria-label={t("Remove this axis")}
            onClick={onRemove}
          >
            <Trash2 size={13} aria-hidden />
          </button>
        )}
      </div>
      {widget !== undefined && isSeed(widget) && <Seeds row={row} onChange={onChange} />}
      {widget !== undefined && <TypedValues row={row} widget={widget} onChange={onChange} />}
      {read !== undefined && "wrong" in read ? (
        <p className="quiet">{read.wrong}</p>
      ) : (
        <p className="quiet">{t("{{count}} values", { count: read?.values.length ?? 0 })}</p>
      )}
    </fieldset>
  );
}

function Seeds({ row, onChange }: { row: Row; onChange: (part: Partial<Row>) => void }) {
  return (
    <div className="line">
      <label>
        {t("How many")}
        <input
          type="number"
          min={1}
          max={MAX_RUNS}
          value={row.count}
          onChange={(event) =>
            onChange({ count: Math.max(Number(event.currentTarget.value) || 1, 1) })
          }
        />
      </label>
      <label>
        {t("Seeds")}
        <Select
          value={row.order}
          options={[
            ["random", t("random")],
            ["increment", t("one after another")],
          ]}
          onChoose={(order) => onChange({ order: order === "increment" ? "increment" : "random" })}
        />
      </label>
    </div>
  );
}

function TypedValues(props: { row: Row; widget: Widget; onChange: (part: Partial<Row>) => void }) {
  const { row, widget, onChange } = props;
  const { input } = widget;
  const lines = !["INT", "FLOAT", "BOOLEAN"].includes(input.type);
  const hint = isSeed(widget)
    ? t("Or these seeds: 1, 2, 3")
    : lines
      ? t("One value on each line")
      : input.type === "BOOLEAN"
        ? t("yes, no")
        : t("Values and ranges: 4..9 step 1, 12");
  return (
    <>
      <textarea
        aria-label={t("Values")}
        rows={lines ? 4 : 1}
        placeholder={hint}
        value={row.typed}
        onChange={(event) => onChange({ typed: event.currentTarget.value })}
      />
      {input.choices !== null && (
        <div className="batch-choices">
          {input.choices.map(String).map((choice) => (
            <button
              key={choice}
              type="button"
              className="chip"
              aria-pressed={row.typed.split("\n").includes(choice)}
              onClick={() => onChange({ typed: toggledLine(row.typed, choice) })}
            >
              {choice}
            </button>
          ))}
        </div>
      )}
    </>
  );
}

function toggledLine(text: string, line: string): string {
  const lines = text.split("\n").filter((each) => each !== "");
  return (lines.includes(line) ? lines.filter((each) => each !== line) : [...lines, line]).join(
    "\n",
  );
}
