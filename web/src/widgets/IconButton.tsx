/** A button that shows only a sign; its name is told to whoever asks, and under the pointer. */
import type { LucideIcon } from "lucide-react";

interface Props {
  label: string;
  icon: LucideIcon;
  /** Under the pointer, where it says more than the name. */
  title?: string;
  disabled?: boolean;
  /** For one that stays on once it is pressed. */
  pressed?: boolean;
  onClick: () => void;
}

export function IconButton({
  label,
  icon: Icon,
  title = label,
  disabled = false,
  pressed,
  onClick,
}: Props) {
  return (
    <button
      type="button"
      className={pressed === true ? "ghost on" : "ghost"}
      aria-label={label}
      aria-pressed={pressed}
      title={title}
      disabled={disabled}
      onClick={onClick}
    >
      <Icon size={15} aria-hidden />
    </button>
  );
}
