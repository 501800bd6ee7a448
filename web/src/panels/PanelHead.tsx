/** The header of a drawer or side panel: its name, its buttons, and the button that closes it. */
import { X } from "lucide-react";
import type { ReactNode } from "react";
import { t } from "../words/words";

interface Props {
  title: string;
  onClose: () => void;
  /** Buttons before the one that closes the panel. */
  children?: ReactNode;
}

export function PanelHead({ title, onClose, children }: Props) {
  return (
    <header>
      <h2>{title}</h2>
      <span>
        {children}
        <button type="button" className="ghost" aria-label={t("Close")} onClick={onClose}>
          <X size={14} aria-hidden />
        </button>
      </span>
    </header>
  );
}
