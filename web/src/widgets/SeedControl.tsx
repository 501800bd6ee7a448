/**
 * What happens to a seed before each run, and the seed of the last run: the field shows the seed
 * that is used, so that "keep this one" always means the seed of the image.
 */
import {
  ChevronsDown,
  ChevronsUp,
  Dices,
  History,
  Lock,
  type LucideIcon,
  Shuffle,
} from "lucide-react";
import { useRef, useState } from "react";
import { t } from "../words/words";
import { besideField } from "./besideField";
import { LazyMenu } from "./LazyMenu";
import type { MenuItem } from "./Menu";
import type { Whole } from "./number";

export interface Control {
  value: unknown;
  onChange: (value: string) => void;
  /** The seed of the last run; null before the first. */
  used?: Whole | null;
  /** Sets a new random value within the limits. */
  onRoll?: () => void;
  onUse?: (value: Whole) => void;
}

const MODES: Readonly<Record<string, { words: string; icon: LucideIcon }>> = {
  fixed: { words: "Fixed", icon: Lock },
  randomize: { words: "Randomize", icon: Dices },
  increment: { words: "Increment", icon: ChevronsUp },
  decrement: { words: "Decrement", icon: ChevronsDown },
};
const FIXED = { words: "Fixed", icon: Lock };

export function SeedControl({ control, current }: { control: Control; current: unknown }) {
  const button = useRef<HTMLButtonElement>(null);
  const [open, setOpen] = useState(false);
  // Very old files have true for "randomize" and false for "fixed".
  const value = control.value === true ? "randomize" : String(control.value);
  const mode = value in MODES ? value : "fixed";
  const { words, icon: Icon } = MODES[mode] ?? FIXED;
  return (
    <>
      <button
        ref={button}
        type="button"
        className={`field icon${mode === "fixed" ? "" : " on"}`}
        aria-haspopup="menu"
        aria-expanded={open}
        aria-label={t("Before each run: {{mode}}", { mode: t(words) })}
        title={t(words)}
        onClick={() => setOpen(true)}
      >
        <Icon size={13} aria-hidden />
      </button>
      {open && button.current !== null && (
        <LazyMenu
          at={besideField(button.current)}
          label={t("Before each run")}
          items={itemsFor(control, mode, current)}
          onClose={() => setOpen(false)}
        />
      )}
    </>
  );
}

function itemsFor(control: Control, mode: string, current: unknown): MenuItem[] {
  const { used = null, onRoll, onUse, onChange } = control;
  const items: MenuItem[] = Object.entries(MODES).map(([name, { words, icon }]) => ({
    label: t(words),
    icon,
    checked: name === mode,
    among: true,
    run: () => onChange(name),
  }));
  if (used !== null && onUse !== undefined) {
    items.push("line", {
      label: t("Fix at {{seed}}, used in the last run", { seed: String(used) }),
      icon: Lock,
      disabled: mode === "fixed" && used === current,
      run: () => {
        onUse(used);
        onChange("fixed");
      },
    });
    items.push({
      label: t("Reuse the last seed"),
      icon: History,
      disabled: used === current,
      run: () => onUse(used),
    });
  }
  if (onRoll !== undefined) {
    if (used === null) items.push("line");
    items.push({ label: t("Randomize now"), icon: Shuffle, run: onRoll });
  }
  return items;
}
