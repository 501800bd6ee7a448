/**
 * The field for an input, chosen by its type and options. It gets a value and reports changes.
 * Values are edited with it everywhere: on nodes, in the inspector and in forms.
 */
import { Link2 } from "lucide-react";
import { type ReactNode, Suspense } from "react";
import type { InputSchema } from "../api/types";
import { t } from "../words/words";
import { ComboField, ManyField } from "./ComboField";
import { kindOf, markerOf, rangeOf } from "./kinds";
import type { MediaAct } from "./MediaField";
import { type NumberFace, NumberField } from "./NumberField";
import { PromptField } from "./PromptField";
import { part } from "./part";
import { type Control, SeedControl } from "./SeedControl";
import { TextField } from "./TextField";

const ColorField = part(() => import("./ColorField").then((all) => all.ColorField));
const MarksField = part(() => import("./MarksField").then((all) => all.MarksField));
const MediaField = part(() => import("./MediaField").then((all) => all.MediaField));
const RemoteField = part(() => import("./RemoteField").then((all) => all.RemoteField));
const RareField = part(() => import("./RareField").then((all) => all.RareField));
const CurveField = part(() => import("./CurveField").then((all) => all.CurveField));

interface FieldProps {
  /** The key of the node; without it, choosing a completion can only insert text. */
  owner?: string | undefined;
  input: InputSchema;
  value: unknown;
  /** A wire supplies the value. */
  linked: boolean;
  /** The source of the wire in a few words, if it is known. */
  source?: string | undefined;
  onChange: (value: unknown) => void;
  /** Called when typing or dragging has ended. */
  onDone: () => void;
  /** What is done to the value before each run. */
  control?: Control | undefined;
  /** For inputs that take a file. */
  media?: MediaAct | undefined;
  /** The image on which boxes and points are drawn. */
  picture?: string | null | undefined;
  /** The values of its node. */
  values?: Readonly<Record<string, unknown>> | undefined;
}

export function Field(props: FieldProps) {
  const { input, linked, source } = props;
  if (linked) return <Linked label={labelOf(input)} source={source} />;
  return <Unlinked {...props} />;
}

export function labelOf({ name, options }: InputSchema): string {
  if (typeof options.display_name === "string") return options.display_name;
  return name.split(".").at(-1) ?? name;
}

function Linked({ label, source }: { label: string; source: string | undefined }) {
  return (
    <div
      className="field linked"
      title={t("A wire supplies this value; without it, the field's own value is used.")}
    >
      <span className="label">{label}</span>
      <span className="value">{source ?? t("linked")}</span>
      <Link2 size={12} aria-hidden />
    </div>
  );
}

/** A field that is loaded when it is first shown; until then its space is reserved. */
function Later({ className = "field", children }: { className?: string; children: ReactNode }) {
  return <Suspense fallback={<div className={className} aria-busy="true" />}>{children}</Suspense>;
}

type ManyProps = Pick<FieldProps, "input" | "value" | "onChange" | "onDone"> & { label: string };

function Many({ value, input, ...said }: ManyProps) {
  return (
    <ManyField
      {...said}
      input={input}
      value={Array.isArray(value) ? value : []}
      choices={input.choices ?? []}
    />
  );
}

function Unlinked(props: FieldProps) {
  const { input, value, onChange, onDone, control, media, picture = null } = props;
  const label = labelOf(input);
  const { options } = input;
  const said = { label, value, onChange, onDone };
  const kind = kindOf(input, value);
  switch (kind) {
    case "number":
      return (
        <div className="row">
          <NumberField {...said} range={rangeOf(input)} face={faceOf(options.display)} />
          {control !== undefined && <SeedControl control={control} current={value} />}
        </div>
      );
    case "toggle":
      return <Toggle {...said} value={value === true} options={options} />;
    case "media":
      return media === undefined ? (
        <ComboField {...said} input={input} choices={input.choices ?? []} />
      ) : (
        <Later>
          <MediaField {...said} input={input} media={media} />
        </Later>
      );
    case "combo":
      return (
        <div className="row">
          <ComboField {...said} input={input} choices={input.choices ?? []} />
          {control !== undefined && <SeedControl control={control} current={value} />}
        </div>
      );
    case "many":
      return <Many {...said} input={input} />;
    case "color":
      return (
        <Later>
          <ColorField {...said} />
        </Later>
      );
    case "curve":
      return (
        <Later className="field curve">
          <CurveField {...said} />
        </Later>
      );
    case "marks":
      return (
        <Later>
          <MarksField {...said} marker={markerOf(input)} picture={picture} />
        </Later>
      );
    case "lines":
    case "prompt":
    case "text":
      return <Text {...said} owner={props.owner} input={input} kind={kind} />;
    default:
      return <Rare {...said} {...props} kind={kind} />;
  }
}

type RareProps = FieldProps & { label: string; kind: "remote" | "rare" };

/** Fields that few nodes have. */
function Rare({ kind, ...said }: RareProps) {
  return (
    <Later className={kind === "remote" ? "row" : "field"}>
      {kind === "remote" ? <RemoteField {...said} /> : <RareField {...said} />}
    </Later>
  );
}

interface TextProps {
  owner: string | undefined;
  label: string;
  value: unknown;
  input: InputSchema;
  kind: "lines" | "prompt" | "text";
  onChange: (value: unknown) => void;
  onDone: () => void;
}

function Text({ owner, label, value, input, kind, onChange, onDone }: TextProps) {
  const { name, options } = input;
  const lines = Array.isArray(value);
  const shared = {
    label,
    value: lines ? value.map(String).join("\n") : String(value ?? ""),
    placeholder: typeof options.placeholder === "string" ? options.placeholder : "",
    onChange: (text: string) => onChange(lines ? text.split("\n") : text),
    onDone,
  };
  if (kind === "text") return <TextField {...shared} />;
  return <PromptField {...shared} owner={owner} name={name} prompt={kind === "prompt"} />;
}

function faceOf(display: unknown): NumberFace {
  return display === "slider" || display === "knob" ? display : "number";
}

interface ToggleProps {
  label: string;
  value: boolean;
  options: InputSchema["options"];
  onChange: (value: boolean) => void;
}

function Toggle({ label, value, options, onChange }: ToggleProps) {
  const words = value ? options.label_on : options.label_off;
  return (
    <button
      type="button"
      role="switch"
      aria-checked={value}
      className="field toggle"
      onClick={() => onChange(!value)}
    >
      <span className="label">{label}</span>
      {typeof words === "string" && <span className="value">{words}</span>}
      <span className="switch" />
    </button>
  );
}
