/** The widget for an input, chosen by its type and options. Given a value; says its change. */
import { ChevronsDown, ChevronsUp, Dices, ImageUp, Lock } from "lucide-react";
import { useRef } from "react";
import type { InputSchema } from "../api/types";
import { ComboField } from "./ComboField";
import { NumberField } from "./NumberField";
import type { Range, Whole } from "./number";
import { TextField } from "./TextField";

export interface Control {
  value: unknown;
  onChange: (value: string) => void;
}

export interface FieldProps {
  input: InputSchema;
  value: unknown;
  /** A wire brings the value. */
  linked: boolean;
  onChange: (value: unknown) => void;
  /** Typing or dragging is over. */
  onDone: () => void;
  /** What happens to the value before each run. */
  control?: Control | undefined;
  /** Brings a picture to the server; says its name there. */
  onUpload?: ((file: File) => void) | undefined;
}

const CONTROLS = ["fixed", "randomize", "increment", "decrement"] as const;
const CONTROL_WORDS: Readonly<Record<string, string>> = {
  fixed: "The same each run",
  randomize: "A new one each run",
  increment: "One more each run",
  decrement: "One less each run",
};

export function Field(props: FieldProps) {
  const { input, value, linked, onChange, onDone, control, onUpload } = props;
  const { name, type, options } = input;
  const label = typeof options.display_name === "string" ? options.display_name : name;
  if (linked) {
    return (
      <div className="field linked" title="A wire brings this value">
        <span className="label">{label}</span>
        <span className="value">linked</span>
      </div>
    );
  }
  if (type === "INT" || type === "FLOAT") {
    return (
      <div className="row">
        <NumberField
          label={label}
          value={value}
          range={rangeOf(input)}
          disabled={false}
          onChange={onChange}
          onDone={onDone}
        />
        {control !== undefined && <ControlButton control={control} />}
      </div>
    );
  }
  if (type === "BOOLEAN")
    return <Toggle label={label} value={value === true} onChange={onChange} />;
  if (type === "COMBO") {
    return (
      <div className="row">
        <ComboField
          label={label}
          value={value}
          choices={input.choices ?? []}
          disabled={false}
          onChange={onChange}
        />
        {control !== undefined && <ControlButton control={control} />}
        {onUpload !== undefined && <Upload onUpload={onUpload} />}
      </div>
    );
  }
  return (
    <TextField
      label={label}
      value={value}
      multiline={options.multiline === true}
      placeholder={typeof options.placeholder === "string" ? options.placeholder : ""}
      disabled={false}
      onChange={onChange}
      onDone={onDone}
    />
  );
}

function rangeOf({ type, options }: InputSchema): Range {
  const whole = type === "INT";
  const number = (value: unknown, otherwise: Whole): Whole =>
    typeof value === "number" || typeof value === "bigint" ? value : otherwise;
  return {
    min: number(options.min, whole ? -(2 ** 31) : -1e9),
    max: number(options.max, whole ? 2 ** 31 : 1e9),
    step: Number(number(options.step, whole ? 1 : 0.05)),
    whole,
  };
}

function Toggle(props: { label: string; value: boolean; onChange: (value: boolean) => void }) {
  const { label, value, onChange } = props;
  return (
    <button
      type="button"
      role="switch"
      aria-checked={value}
      className="field toggle"
      onClick={() => onChange(!value)}
    >
      <span className="label">{label}</span>
      <span className="switch" />
    </button>
  );
}

function ControlButton({ control }: { control: Control }) {
  const now = CONTROLS.find((each) => each === control.value) ?? "fixed";
  const next = CONTROLS[(CONTROLS.indexOf(now) + 1) % CONTROLS.length] ?? "fixed";
  const Icon = { fixed: Lock, randomize: Dices, increment: ChevronsUp, decrement: ChevronsDown }[
    now
  ];
  return (
    <button
      type="button"
      className={`field icon${now === "fixed" ? "" : " on"}`}
      aria-label={`${CONTROL_WORDS[now]}; click for: ${CONTROL_WORDS[next]}`}
      title={CONTROL_WORDS[now]}
      onClick={() => control.onChange(next)}
    >
      <Icon size={13} aria-hidden />
    </button>
  );
}

function Upload({ onUpload }: { onUpload: (file: File) => void }) {
  const chooser = useRef<HTMLInputElement>(null);
  return (
    <>
      <button
        type="button"
        className="field icon"
        aria-label="Bring a picture"
        title="Bring a picture"
        onClick={() => chooser.current?.click()}
      >
        <ImageUp size={13} aria-hidden />
      </button>
      <input
        ref={chooser}
        type="file"
        accept="image/*"
        hidden
        onChange={(event) => {
          const [file] = event.currentTarget.files ?? [];
          if (file !== undefined) onUpload(file);
          event.currentTarget.value = "";
        }}
      />
    </>
  );
}
