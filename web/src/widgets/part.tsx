/**
 * A part of the screen that is loaded when it is first shown. If it cannot be loaded, because the
 * server is unreachable, a message with a retry button takes its place; the rest stays usable.
 */
import { Component, type ComponentType, lazy, type ReactNode } from "react";
import { t } from "../words/words";
import { fetchWithRetry } from "./fetchWithRetry";
import "./part.css";

class NotFetched extends Error {}

const known = new Set<() => Promise<unknown>>();

/** The parts that may be loaded before they are shown. */
export const parts: ReadonlySet<() => Promise<unknown>> = known;

/** Like `lazy`, but a failure is not permanent. A heavy part is not loaded before it is shown. */
export function part<Props extends object>(
  fetchRoom: () => Promise<ComponentType<Props>>,
  isHeavy = false,
): ComponentType<Props> {
  if (!isHeavy) known.add(fetchRoom);
  const fetched = () =>
    lazy(async () => {
      try {
        return { default: (await fetchWithRetry(fetchRoom)) as ComponentType<object> };
      } catch (error) {
        throw new NotFetched(error instanceof Error ? error.message : String(error));
      }
    });
  let room = fetched();
  const renew = () => {
    room = fetched();
  };
  const draw = (props: Props) => {
    const Room = room;
    return <Room {...props} />;
  };
  return (props) => <Fetching onRenew={renew}>{() => draw(props)}</Fetching>;
}

interface Props {
  children: () => ReactNode;
  /** A failed part is loaded again when it is next rendered. */
  onRenew: () => void;
}

interface State {
  failed: unknown;
  hidden: boolean;
}

class Fetching extends Component<Props, State> {
  override state: State = { failed: null, hidden: false };

  static getDerivedStateFromError(failed: unknown): Partial<State> {
    return { failed };
  }

  tryAgain = () => {
    this.props.onRenew();
    this.setState({ failed: null });
  };

  override componentWillUnmount(): void {
    if (this.state.failed !== null) this.props.onRenew();
  }

  override render(): ReactNode {
    const { failed, hidden } = this.state;
    if (failed === null) return this.props.children();
    // The error boundary around the screen handles errors of the loaded part itself.
    if (!(failed instanceof NotFetched)) throw failed;
    if (hidden) return null;
    return (
      <div className="part-missing" role="alert">
        <p>{t("This part of the editor could not be loaded: the server does not answer.")}</p>
        <button type="button" className="primary" onClick={this.tryAgain}>
          {t("Try again")}
        </button>
        <button
          type="button"
          className="plain-button"
          onClick={() => this.setState({ hidden: true })}
        >
          {t("Close")}
        </button>
      </div>
    );
  }
}
