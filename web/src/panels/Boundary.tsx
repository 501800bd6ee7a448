/**
 * The error boundary around the screen. If a component throws (a bug of ours, or a part that could
 * not be loaded while the server is unreachable), it reports the error and the rest stays usable.
 */
import { Component, type ReactNode } from "react";
import { flushJournals } from "../state/files/journaling";
import { errorText, useView } from "../state/session/view";
import { t } from "../words/words";

interface State {
  failed: string | null;
}

export class Boundary extends Component<{ children: ReactNode }, State> {
  override state: State = { failed: null };

  static getDerivedStateFromError(error: unknown): State {
    return { failed: errorText(error) };
  }

  override componentDidCatch(): void {
    flushJournals();
  }

  override render(): ReactNode {
    const { failed } = this.state;
    if (failed === null) return this.props.children;
    const goOn = () => {
      // The component that failed may be the one that was just opened.
      useView.setState({ sheet: null, workflows: false, palette: null, commands: false });
      this.setState({ failed: null });
    };
    return (
      <div className="starting" role="alert">
        <h1>{t("This cannot be displayed")}</h1>
        <p>{t("Your edits are kept. {{reason}}", { reason: failed })}</p>
        <button type="button" className="primary" onClick={goOn}>
          {t("Continue")}
        </button>
        <button type="button" className="link" onClick={() => window.location.reload()}>
          {t("Reload the page")}
        </button>
      </div>
    );
  }
}
