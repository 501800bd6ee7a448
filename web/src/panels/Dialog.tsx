/** A modal dialog: Escape closes it, and the focus returns to where it was. */
import { X } from "lucide-react";
import { type ReactNode, useId, useRef } from "react";
import { t } from "../words/words";
import { useModal } from "./modal";
import "./dialog.css";

interface Props {
  title: string;
  onClose: () => void;
  children: ReactNode;
  /** Buttons, the default one last. */
  actions?: ReactNode;
  /** "narrow" for a question, "wide" for a list, "full" for an editor. */
  width?: "narrow" | "middle" | "wide" | "full";
}

export function Dialog({ title, onClose, children, actions, width = "middle" }: Props) {
  const dialog = useRef<HTMLDialogElement>(null);
  const heading = useId();
  useModal(dialog);
  return (
    // biome-ignore lint/a11y/useKeyWithClickEvents: Escape does the same, see onCancel
    <dialog
      ref={dialog}
      className={`dialog ${width}`}
      aria-labelledby={heading}
      onCancel={(event) => {
        event.preventDefault();
        onClose();
      }}
      onClick={(event) => {
        if (event.target === dialog.current) onClose();
      }}
    >
      <div className="sheet">
        <header>
          <h2 id={heading}>{title}</h2>
          <button type="button" className="ghost" aria-label={t("Close")} onClick={onClose}>
            <X size={15} aria-hidden />
          </button>
        </header>
        <div className="body">{children}</div>
        {actions !== undefined && <footer>{actions}</footer>}
      </div>
    </dialog>
  );
}
