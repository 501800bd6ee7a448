/** A colour field: typed, or picked with the system's picker or from anywhere on the screen. */
import { Pipette } from "lucide-react";
import { useState } from "react";
import { t } from "../words/words";
import { hexOf, inFormOf } from "./color";
import { useFieldServices } from "./services";

interface Props {
  label: string;
  value: unknown;
  onChange: (value: string | number) => void;
  onDone: () => void;
}

interface Dropper {
  open: () => Promise<{ sRGBHex: string }>;
}

export function ColorField({ label, value, onChange, onDone }: Props) {
  const [typed, setTyped] = useState<string | null>(null);
  const services = useFieldServices();
  const hex = hexOf(value);
  const wrong = typed !== null && hexOf(typed) === null;
  const finish = () => {
    const read = typed === null ? null : hexOf(typed);
    setTyped(null);
    if (read !== null && read !== hex) onChange(inFormOf(value, read));
    onDone();
  };
  return (
    <div className="row">
      <div className="field color">
        <span className="label">{label}</span>
        <input
          className="hex"
          aria-label={t("{{label}}, as #rrggbb", { label })}
          aria-invalid={wrong}
          spellCheck={false}
          value={typed ?? hex ?? String(value ?? "")}
          onFocus={(event) => event.currentTarget.select()}
          onChange={(event) => setTyped(event.currentTarget.value)}
          onBlur={finish}
          onKeyDown={(event) => {
            if (event.key === "Enter") finish();
            if (event.key === "Escape") setTyped(null);
          }}
        />
        <input
          type="color"
          className="swatch"
          aria-label={label}
          value={hex ?? "#000000"}
          onChange={(event) => onChange(inFormOf(value, event.currentTarget.value))}
          onBlur={onDone}
        />
      </div>
      {"EyeDropper" in window && (
        <button
          type="button"
          className="field icon"
          aria-label={t("Pick a colour from the screen")}
          title={t("Pick a colour from the screen")}
          onClick={() => {
            pickOnScreen().then((picked) => {
              if (picked === null) return;
              onChange(inFormOf(value, picked));
              onDone();
            }, services.complain);
          }}
        >
          <Pipette size={13} aria-hidden />
        </button>
      )}
    </div>
  );
}

/** The picked colour; null if the user cancelled. */
async function pickOnScreen(): Promise<string | null> {
  const { EyeDropper } = window as unknown as { EyeDropper: new () => Dropper };
  try {
    return hexOf((await new EyeDropper().open()).sRGBHex);
  } catch (error) {
    if (error instanceof DOMException && error.name === "AbortError") return null;
    throw error;
  }
}
