/**
 * The value of a type that only a plugin's script can show, as JSON on one line. A text that is no
 * JSON stays in the field and changes nothing.
 */
import { useState } from "react";
import { t } from "../words/words";
import { useFieldServices } from "./services";

interface Props {
  label: string;
  type: string;
  value: unknown;
  onChange: (value: unknown) => void;
  onDone: () => void;
}

export function JsonField({ label, type, value, onChange, onDone }: Props) {
  const [typed, setTyped] = useState<string | null>(null);
  const { json } = useFieldServices();
  const read = typed === null ? undefined : json.read(typed);
  const wrong = typed !== null && read === undefined;
  const finish = () => {
    if (wrong) return;
    if (read !== undefined && json.write(read) !== json.write(value)) onChange(read);
    setTyped(null);
    onDone();
  };
  const said = wrong
    ? t("This is no JSON. The value is not changed.")
    : t("A value of the type {{type}}, as JSON.", { type });
  return (
    <label className="field text" title={said}>
      <span className="label">{label}</span>
      <input
        aria-label={t("{{label}}, as JSON", { label })}
        aria-invalid={wrong}
        spellCheck={false}
        value={typed ?? (value == null ? "" : json.write(value))}
        placeholder={type}
        onChange={(event) => setTyped(event.currentTarget.value)}
        onBlur={finish}
        onKeyDown={(event) => {
          if (event.key === "Enter") finish();
          if (event.key === "Escape") setTyped(null);
        }}
      />
    </label>
  );
}
