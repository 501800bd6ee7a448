/** A button with an icon only; its name is its accessible label and its tooltip. */
import type { LucideIcon } from "lucide-react";
import type { MouseEvent } from "react";

interface Props {
  label: string;
  icon: LucideIcon;
  /** The tooltip, if it says more than the name. */
  title?: string;
  disabled?: boolean;
  /** For a toggle button. */
  pressed?: boolean;
  onClick: (event: MouseEvent<HTMLButtonElement>) => void;
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
      aria-description={title === label ? undefined : title}
      data-tip={title}
      disabled={disabled}
      onClick={onClick}
    >
      <Icon size={15} aria-hidden />
    </button>
  );
}
